/* The questions of the rubric, and which of them the number keys answer. */
import { applyConditions, isAnswered } from "./conditions.js";
import { byId, item, root } from "./page.js";

let active = null;

export const questions = () =>
  item() ? [...item().querySelectorAll("[data-ask]:not([hidden])")] : [];
export const current = () => (active?.isConnected ? active : questions()[0]);

function activate(question) {
  for (const other of questions()) other.classList.toggle("is-active", other === question);
  active = question || null;
}

export function focusQuestion(question) {
  activate(question);
  if (!question) return;
  const isNumber = question.dataset.input === "number";
  const number = isNumber && question.querySelector('input[type="number"]');
  (number || question).focus({ preventScroll: true });
  question.scrollIntoView({ block: "nearest" });
}

/* Move the focus from a field to its question. */
export function leaveField(question) {
  active = question;
  question.focus({ preventScroll: true });
}

/* Show the questions that are asked now. */
export function reveal() {
  applyConditions();
  if (active?.hidden) active = null;
}

/* Begin with the first question of an item that has just come. */
export function startQuestions() {
  active = null;
  reveal();
  activate(questions()[0]);
}

export function step(by) {
  const all = questions(), place = all.indexOf(current());
  const isInside = document.activeElement && document.activeElement.closest("[data-ask]");
  const target = isInside || by < 0 ? all[place + by] : all[place];
  if (target) focusQuestion(target);
  else if (by > 0) byId("correction")?.focus();
}

/* Focus the first question after `question` that has no answer yet, or `question` itself. */
export function focusUnansweredAfter(question) {
  const all = questions();
  const later = all.slice(all.indexOf(question) + 1);
  focusQuestion(later.find((other) => !isAnswered(other)) || question);
}

root.addEventListener("focusin", (event) => {
  const question = event.target.closest("[data-ask]");
  if (question) activate(question);
});
