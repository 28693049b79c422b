/* The workbench: judge an item, go on, undo. The server is the only authority. The modules here
   make it quick: the next item waits in <template id="next"> and is shown before the answer to the
   submit of the last one has come. */
import "./controls.js";
import "./diff.js";
import "./keyboard.js";
import { arrive, prefetch } from "./arrival.js";
import * as draft from "./draft.js";
import { nFailed, nSending } from "./jobs.js";
import { byId, hasItem, item, nextItem, root } from "./page.js";
import { release } from "./reservation.js";
import { retry } from "./sending.js";

const PREFETCH_AFTER = 60; // ms

/* ---- the page is left: send what is unsaved, give the reservations back ---- */
let isLeaving = false; // by a link; a reload comes back to the same item

root.addEventListener("click", (event) => {
  if (event.target.closest("a[href]") && !event.target.closest("#ctx, [target]")) isLeaving = true;
});
document.querySelector(".nav").addEventListener("click", (event) => {
  if (event.target.closest("a[href]")) isLeaving = true;
});

window.addEventListener("beforeunload", (event) => {
  if (nSending() || nFailed()) event.preventDefault();
});
window.addEventListener("pagehide", () => {
  draft.sendUnsaved();
  release(nextItem());
  if (isLeaving) release(item());
});
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

/* ---- begin ---- */
const errors = byId("form-errors");
arrive("");
errors?.focus();
if (hasItem()) setTimeout(prefetch, PREFETCH_AFTER);
if (nFailed()) retry();
