/* What a reviewer does with the item on the screen: answer it, submit, skip or requeue it. */
import { say, toast } from "../core/announce.js";
import { swapNext } from "./arrival.js";
import { radiosOf } from "./conditions.js";
import * as draft from "./draft.js";
import { nFailed, nSending, withdraw } from "./jobs.js";
import {
  byId, find, flash, form, hasItem, item, nextItem, setAddress, setBusy, turn,
} from "./page.js";
import { current, focusQuestion, focusUnansweredAfter, reveal } from "./questions.js";
import { beat } from "./reservation.js";
import { send } from "./sending.js";
import { offerUndo, withdrawOffer } from "./undo.js";
import { clearError, firstInvalid } from "./validation.js";

const DWELL = 400; // ms: nobody has read an item before that
const MAX_UNSAVED = 3; // jobs

const mayLeave = () => hasItem() && !turn.isLocked;

/* Choose the answer of the current question by its number; 0 takes the answer back. */
export function choose(number) {
  const question = current(), radios = question ? radiosOf(question) : [];
  if (!radios.length || number > radios.length) return false;
  if (number === 0) radios.forEach((radio) => { radio.checked = false; });
  else radios[number - 1].checked = true;
  const cant = question.querySelector("[data-cant]");
  if (cant) cant.checked = false;
  clearError(question);
  draft.touch();
  reveal();
  if (number === 0) {
    focusQuestion(question);
    return;
  }
  const label = radios[number - 1].closest("label").querySelector("span").lastChild;
  say(question.dataset.title + ": " + label.textContent.trim());
  focusUnansweredAfter(question);
}

function reviewBody() {
  const data = new FormData(form());
  data.set("dwell_ms", String(Math.round(performance.now() - turn.shownAt)));
  return draft.sign(data);
}

/* Leave the item: show the next at once if it is here, and send `body` to `url`. */
function advance(url, body, words) {
  if (!mayLeave()) return;
  withdraw();
  const nUnsaved = nSending() + nFailed();
  if (nUnsaved >= MAX_UNSAVED) {
    toast("Waiting for the server: " + nUnsaved + " reviews are not saved yet.", { isBad: true });
    return;
  }
  turn.isLocked = true;
  draft.stop();
  withdrawOffer();
  setAddress(null);
  const { openUrl, name, item: id } = item().dataset;
  const job = { url, body, words, open: openUrl, name, item: id };
  if (nextItem()) {
    job.showing = nextItem().dataset.item;
    swapNext(words + ".");
    beat();
    turn.isLocked = false;
  } else {
    turn.isWaiting = true;
    setBusy(true);
  }
  send(job);
}

export function submit() {
  if (!mayLeave() || performance.now() - turn.shownAt < DWELL) return;
  const invalid = firstInvalid();
  if (invalid) {
    const words = invalid.querySelector("[data-error]").textContent;
    if (invalid.hasAttribute("data-ask")) focusQuestion(invalid);
    else byId("correction").focus();
    say(words, true);
    return;
  }
  flash("[data-submit]");
  const nDone = Number(find("#progress")?.dataset.done || 0) + 1 + nSending();
  advance(form().action, reviewBody(), "Submitted " + nDone);
}

export function skip(reason) {
  if (!mayLeave()) return;
  const body = reviewBody();
  body.set("reason", reason);
  advance(item().dataset.skipUrl, body, "Skipped");
  offerUndo("Skipped.");
}

export function requeue() {
  if (!mayLeave()) return;
  flash("[data-requeue]");
  advance(item().dataset.requeueUrl, reviewBody(), "Put at the end");
  offerUndo("Put at the end of your order.");
}
