/* The next item: fetched while the reviewer reads the one on the screen, then shown. */
import { emit, say } from "../core/announce.js";
import { applyParts, ready } from "../core/parts.js";
import { request } from "../core/server.js";
import * as draft from "./draft.js";
import { nSending } from "./jobs.js";
import { hasItem, item, next, nextItem, root, turn } from "./page.js";
import { startQuestions } from "./questions.js";
import { startReservation } from "./reservation.js";

const ANSWER_MARGIN = 90; // px of the context above the final answer
let isFetching = false;

/* Begin the turn at the item on the screen; `words` say what became of the one before it. */
export function arrive(words) {
  turn.shownAt = performance.now();
  startQuestions();
  item().querySelector("h2")?.focus({ preventScroll: true });
  const context = item().querySelector("[data-context]");
  if (context) scrollToAnswer(context);
  if (words) {
    window.scrollTo(0, 0); // on a phone the page itself scrolls
    say(words + (hasItem() ? " " + item().dataset.name : ""));
  }
  document.title = (hasItem() ? item().dataset.name + " - " : "") + root.dataset.title;
  draft.start();
  startReservation();
  emit("item");
}

/* Long conversations begin at the final answer, short ones at the question. */
function scrollToAnswer(context) {
  context.scrollTop = 0;
  const answer = [...context.querySelectorAll("#answer, [data-answer]")].pop(); // of the last turn
  if (answer && answer.offsetTop > context.clientHeight) {
    context.scrollTop = answer.offsetTop - ANSWER_MARGIN;
  }
}

/* Show the next item; return false if it is not here. */
export function swapNext(words) {
  const waiting = next().content.firstElementChild;
  if (!waiting) return false;
  item().replaceWith(waiting);
  next().content.replaceChildren();
  next().removeAttribute("data-nothing");
  ready(item());
  arrive(words);
  return true;
}

export async function prefetch() {
  if (isFetching || nSending() || !hasItem()) return;
  isFetching = true;
  const showing = item().dataset.item;
  try {
    const answer = await request(root.dataset.next + "?showing=" + showing);
    if (answer.ok) {
      const html = await answer.text();
      const isCurrent = hasItem() && item().dataset.item === showing;
      if (isCurrent && !nSending() && !nextItem()) applyParts(html);
    }
  } catch { /* the submit itself asks again */ }
  isFetching = false;
}
