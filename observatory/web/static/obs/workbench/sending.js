/* Jobs go to the server; those that had no answer are sent again by themselves. */
import { emit } from "../core/announce.js";
import { dropDraft } from "../core/outbox.js";
import { applyParts } from "../core/parts.js";
import { request } from "../core/server.js";
import { prefetch, swapNext } from "./arrival.js";
import { connection, refusalOf } from "./connection.js";
import * as draft from "./draft.js";
import {
  hasFailed, markFailed, retryable, showFailures, startSending, stopSending, takeOut,
} from "./jobs.js";
import { hasItem, item, next, setBusy, turn } from "./page.js";

const RETRY = 3000, RETRY_LIMIT = 60000; // ms before the first retry; ms at most
let attempts = 0, timer = 0, isRetrying = false;

/* Send a job. If the screen waits for its answer, show the item that comes with it. */
export async function send(job) {
  job.body.set("showing", job.showing || "");
  startSending(job);
  try {
    const answer = await request(job.url, { method: "POST", body: job.body });
    if (!answer.ok) throw await refusalOf(answer);
    connection.signedOut = "";
    attempts = 0;
    applyParts(await answer.text());
    dropDraft(job.item);
  } catch (error) {
    markFailed(job, error);
    if (!job.reason) retryLater();
  } finally {
    stopSending(job);
    showFailures();
  }
  if (turn.isWaiting && !job.showing) stopWaiting(job);
  emit("answered");
  if (next().content.childElementCount === 0 && hasItem()) prefetch();
}

function stopWaiting(job) {
  turn.isWaiting = turn.isLocked = false;
  setBusy(false);
  if (hasFailed(job)) draft.resume();
  else if (!swapNext(job.words + ".")) location.reload();
}

function retryLater() {
  clearTimeout(timer);
  timer = setTimeout(retry, Math.min(RETRY_LIMIT, RETRY * 2 ** attempts++));
}

/* Send the jobs again, in their order and no further than the first that fails again. */
export async function retry() {
  clearTimeout(timer);
  if (isRetrying || turn.isLocked) {
    if (retryable().length) retryLater();
    return;
  }
  isRetrying = true;
  for (const job of retryable()) {
    takeOut(job);
    const isOnScreen = !hasItem() || item().dataset.openUrl === job.open;
    job.showing = isOnScreen ? "" : item().dataset.item;
    if (isOnScreen) {
      turn.isLocked = turn.isWaiting = true;
      setBusy(true);
    }
    await send(job);
    if (hasFailed(job)) break;
  }
  isRetrying = false;
}

function reconnect() {
  attempts = 0;
  if (retryable().length) retry();
  draft.saveIfDirty();
}

const reconnectIfSignedOut = () => { if (connection.signedOut) reconnect(); };

window.addEventListener("online", reconnect);
window.addEventListener("focus", reconnectIfSignedOut);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) reconnectIfSignedOut();
});
document.addEventListener("obs:signed-in", reconnect);
document.addEventListener("obs:retry", reconnect);
