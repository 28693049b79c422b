/* The difference between the answer and its correction, compared in a Worker while one types: by
   words; by lines if that takes too long; then not at all, and the server may be asked. */
import { correctionBox, isCorrected, originalText } from "./correction.js";
import { byId, root } from "./page.js";

const WAIT = 150, LIMIT = 300; // ms after the last key; ms that a comparison may take
const FOLD = 240; // characters of an unchanged stretch; of a longer one the ends are shown
const SPOKEN = { insert: "inserted: ", delete: "deleted: " };
let worker = null, count = 0, typingTimer = 0, limitTimer = 0, comparison = null;

function fold(text, isFirst, isLast) {
  if (text.length <= FOLD) return text;
  const head = isFirst ? "" : text.slice(0, FOLD / 2);
  const tail = isLast ? "" : text.slice(-FOLD / 2);
  return head + " \u2026 " + tail;
}

function markChange(part) {
  const mark = document.createElement(part.kind === "insert" ? "ins" : "del");
  const spoken = document.createElement("span");
  spoken.className = "sr";
  spoken.textContent = SPOKEN[part.kind];
  mark.append(spoken, part.text);
  return mark;
}

/* Return an element that shows `parts`: [{kind: "equal" | "insert" | "delete", text}]. */
function drawDiff(parts) {
  const element = document.createElement("div");
  element.className = "diff";
  element.dir = "auto";
  element.tabIndex = 0;
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", "Difference");
  parts.forEach((part, place) => {
    const isFirst = place === 0, isLast = place === parts.length - 1;
    element.append(part.kind === "equal" ? fold(part.text, isFirst, isLast) : markChange(part));
  });
  return element;
}

const countWords = (text) => (text.match(/[\p{L}\p{N}_]+/gu) || []).length;

/* Return e.g. "+3 -1 words, 92 % alike". */
function figuresOf(parts, unit) {
  const words = { equal: 0, insert: 0, delete: 0 };
  for (const part of parts) words[part.kind] += countWords(part.text);
  const total = 2 * words.equal + words.insert + words.delete;
  const alike = total ? Math.round((200 * words.equal) / total) : 100;
  const note = unit === "line" ? ", by lines" : "";
  return `+${words.insert} -${words.delete} words, ${alike} % alike${note}`;
}

function startWorker() {
  worker = new Worker(root.dataset.worker);
  worker.postMessage({ library: root.dataset.diff });
  worker.onmessage = (event) => {
    const { id, began, parts, unit } = event.data;
    if (id !== count) return;
    clearTimeout(limitTimer);
    if (began) {
      limitTimer = setTimeout(giveUp, LIMIT);
      return;
    }
    byId("diff").replaceChildren(drawDiff(parts));
    note(figuresOf(parts, unit));
  };
}

function startComparison(text, unit) {
  if (!worker) startWorker();
  const id = ++count;
  clearTimeout(limitTimer);
  comparison = { text, unit };
  worker.postMessage({ id, before: originalText(), after: text, unit });
}

function giveUp() {
  worker.terminate();
  worker = null;
  if (comparison.unit === "word") {
    startComparison(comparison.text, "line");
    return;
  }
  byId("diff").replaceChildren();
  note("Too large to compare while you type. Use Compare.");
}

function note(text) {
  const figures = correctionBox().querySelector("[data-diff-figures]");
  if (figures) figures.textContent = text;
}

function compare() {
  const area = byId("correction");
  if (!area) {
    forget();
    return;
  }
  const isChanged = isCorrected(), box = correctionBox();
  const chip = box.querySelector("[data-changed]");
  chip.textContent = isChanged ? "changed" : "no change";
  chip.className = "chip" + (isChanged ? " is-accent" : "");
  box.querySelector("[data-revert]").hidden = !isChanged;
  if (isChanged) {
    startComparison(area.value, "word");
    return;
  }
  byId("diff").replaceChildren();
  note("");
  forget();
}

/* A comparison that is under way is out of date. */
function forget() {
  count++;
  clearTimeout(limitTimer);
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "correction") return;
  if (!worker) startWorker(); // its library loads while one types on
  clearTimeout(typingTimer);
  typingTimer = setTimeout(compare, WAIT);
});
document.addEventListener("obs:reverted", compare);
document.addEventListener("obs:item", compare);
