/* Undo the last submit, skip or requeue, or the one whose button of the rail was pressed. */
import { toast } from "../core/announce.js";
import { dropDraft } from "../core/outbox.js";
import { applyParts } from "../core/parts.js";
import { request } from "../core/server.js";
import { swapNext } from "./arrival.js";
import { connection, refusalOf } from "./connection.js";
import * as draft from "./draft.js";
import { nSending, retryable, showFailures } from "./jobs.js";
import { find, hasItem, item, next, nextItem, setAddress, turn } from "./page.js";

const POLL = 50, POLLS = 200; // ms; together 10 s

let offer = null;

const newestUndo = () => find("#rail [data-undo]");

function showUndo() {
  const button = find("[data-undo-last]");
  if (button) button.hidden = !newestUndo() && !nSending();
}

export function offerUndo(words) {
  offer = toast(words, { action: "Undo", onAction: () => undo() });
}

/* Once something else is done, the toast goes: its button would undo that instead. */
export function withdrawOffer() {
  offer?.remove();
  offer = null;
}

/* Wait for what is on its way: only what is stored can be undone. */
async function untilStored() {
  for (let tries = 0; nSending() && tries < POLLS; tries++) {
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

export async function undo(target) {
  if (turn.isLocked) return;
  turn.isLocked = true;
  withdrawOffer();
  await untilStored();
  const button = target?.isConnected ? target : newestUndo();
  try {
    if (retryable().length) {
      toast("The last one is not saved yet. Retry it first.", { isBad: true });
    } else if (button) {
      await undoWith(button);
    } else {
      toast("Nothing to undo.");
    }
  } catch {
    if (connection.signedOut) showFailures();
    toast("It could not be undone. Try again.", { isBad: true });
  } finally {
    turn.isLocked = false;
  }
}

async function undoWith(button) {
  await draft.flush();
  const body = new FormData(button.form);
  const answer = await request(button.formAction, { method: "POST", body });
  if (answer.status === 409) {
    toast(await answer.text(), { isBad: true });
    return;
  }
  if (!answer.ok) throw await refusalOf(answer);
  if (answer.redirected) {
    location.href = answer.url;
    return;
  }
  const interrupted = hasItem() ? item() : null;
  applyParts(await answer.text());
  if (nextItem()) dropDraft(nextItem().dataset.item); // the server has the answers
  swapNext("Undone.");
  setAddress(item().dataset.openUrl);
  // The item that was on the screen is still reserved: it comes next again, as it was left.
  if (interrupted) next().content.replaceChildren(interrupted);
  toast("Undone. The item is here again with your answers.", { ms: 4000 });
}

document.addEventListener("obs:item", showUndo);
document.addEventListener("obs:answered", showUndo);
