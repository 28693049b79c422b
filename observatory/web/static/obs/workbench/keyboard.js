/* The keys of the workbench. */
import { say } from "../core/announce.js";
import { addScope, isTyping } from "../core/keys.js";
import { choose, requeue, skip, submit } from "./actions.js";
import * as draft from "./draft.js";
import { find, item, root } from "./page.js";
import { current, focusQuestion, leaveField, step } from "./questions.js";
import { undo } from "./undo.js";

const skipMenu = () => find("[data-skip-menu]");
const isPair = () => !!item()?.hasAttribute("data-pair");

/* Each of these returns false when the page has nothing for the key. */
function toggle(selector) {
  const details = find(selector);
  if (!details) return false;
  details.open = !details.open;
}

function openSkipMenu() {
  if (!skipMenu()) return false;
  skipMenu().open = true;
  skipMenu().querySelector("[data-skip]").focus();
}

function editCorrection() {
  const area = find("#correction");
  if (!area) return false;
  area.closest("[data-correction]").scrollIntoView({ block: "start" }); // with its diff below
  area.focus({ preventScroll: true });
}

function writeNote() {
  const area = find("#note");
  if (!area) return false;
  area.focus();
}

function comment() {
  const box = current()?.querySelector("[data-comment]");
  if (!box) return false;
  box.open = true;
  box.querySelector("textarea").focus();
}

function toggleCannotJudge() {
  const cant = current()?.querySelector("[data-cant]");
  if (!cant) return false;
  cant.click();
}

function toggleTrace() {
  const trace = find('#ctx [data-tab="trace"]');
  if (!trace) return false;
  const isShown = trace.hasAttribute("aria-current");
  (isShown ? find('#ctx [data-tab="conversation"]') : trace).click();
}

function toggleContextFocus() {
  const context = find("[data-context]");
  if (!context) return false;
  if (context.contains(document.activeElement)) focusQuestion(current());
  else context.focus();
}

function walkRail(by) {
  const links = [...root.querySelectorAll("#rail li > a")];
  if (!links.length) return false;
  const place = links.indexOf(document.activeElement);
  links[place < 0 ? 0 : place + by]?.focus();
}

function walkQuestions(event, by) {
  const { target } = event;
  if (target.closest("[data-tree]")) return false; // it has arrows of its own
  if (target.matches("[data-context]")) return false; // it scrolls
  if (target.closest("[data-context]") && target.closest(".diff, pre")) return false;
  step(by);
}

function enterQuestion(event) {
  if (event.target.closest("a, button, summary, textarea, select")) return false;
  const question = event.target.closest("[data-ask]");
  if (!question) return false;
  if (question.dataset.input === "text") question.querySelector("textarea")?.focus();
}

function leaveTyping(event) {
  if (!event.target.closest("#review-form") || !isTyping(event.target)) return false;
  const question = event.target.closest("[data-ask]");
  if (question) leaveField(question);
  else event.target.blur();
}

/* A number chooses a reason while the skip menu is open, else an answer. */
function pressNumber(number) {
  if (!skipMenu()?.open) return choose(number);
  const reason = skipMenu().querySelectorAll("[data-skip]")[number - 1];
  if (!reason) return false;
  skipMenu().open = false;
  skip(reason.dataset.skip);
}

const keys = {
  "mod+enter": (event) => { if (!event.repeat) submit(); },
  "mod+s": () => { draft.flush().then(() => say("Draft saved")); },
  z: () => { undo(); },
  s: openSkipMenu,
  S: requeue,
  e: editCorrection,
  n: writeNote,
  i: () => toggle("[data-instructions]"),
  w: () => toggle("[data-why]"),
  c: comment,
  x: toggleCannotJudge,
  a: () => (isPair() ? choose(1) : false),
  b: () => (isPair() ? choose(2) : false),
  t: () => (isPair() ? choose(3) : toggleTrace()),
  ".": toggleContextFocus,
  "[": () => walkRail(1),
  "]": () => walkRail(-1),
  ArrowDown: Object.assign((event) => walkQuestions(event, 1), { mayRepeat: true }),
  ArrowUp: Object.assign((event) => walkQuestions(event, -1), { mayRepeat: true }),
  Enter: enterQuestion,
  Escape: leaveTyping,
};
for (let number = 0; number <= 9; number++) keys[String(number)] = () => pressNumber(number);
addScope(keys);

// Enter in a number goes on to the next question instead of submitting the form.
root.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
  if (!event.target.matches('#review-form input[type="number"]')) return;
  event.preventDefault();
  step(1);
});
