/* The reservation of the item on the screen: how long it still lasts, and the heartbeat that
   extends it. The server's clock counts, not the browser's. */
import { say } from "../core/announce.js";
import { csrfToken, request } from "../core/server.js";
import { hasItem, item, root } from "./page.js";

const HEARTBEAT = 60000; // ms between two heartbeats of a reviewer who types
const WARNED = 60, EXTENDABLE = 120, COUNTED = 300; // seconds left

let clockOffset = 0; // ms, the server's clock minus the browser's
let isClockKnown = false;
let expiresAt = 0, beatAt = 0; // ms since the epoch
let isWarned = false, isEndAnnounced = false;

/* Begin with the reservation of the item that is on the screen now. */
export function startReservation() {
  const { expires, now } = item()?.dataset || {};
  isWarned = false;
  expiresAt = expires ? Date.parse(expires) : 0;
  // The time of the page, not of a waiting item: that was drawn earlier than it is shown.
  if (!isClockKnown && now) {
    clockOffset = Date.parse(now) - Date.now();
    isClockKnown = true;
  }
  draw();
}

function draw() {
  const text = document.querySelector("[data-held-text]");
  const extend = document.querySelector("[data-extend]");
  const take = document.querySelector("[data-take]");
  if (!expiresAt || !hasItem()) {
    text.textContent = "";
    extend.hidden = take.hidden = true;
    return;
  }
  const left = Math.round((expiresAt - (Date.now() + clockOffset)) / 1000);
  take.hidden = left > 0;
  take.href = item().dataset.openUrl;
  extend.hidden = left <= 0 || left > EXTENDABLE;
  text.textContent = wordsFor(left);
  if (left <= 0) {
    if (!isEndAnnounced) say(text.textContent, true);
    isEndAnnounced = true;
    return;
  }
  isEndAnnounced = false;
  if (left <= WARNED && !isWarned) {
    isWarned = true;
    say("Your reservation ends in a minute. Extend it to keep the item.");
  }
}

function wordsFor(left) {
  if (left <= 0) return "Reservation ended. Your text is kept.";
  if (left > COUNTED) return "Reserved for you";
  return "Reserved, " + Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0") + " left";
}

export async function beat() {
  if (!hasItem() || !item().dataset.lease) return;
  beatAt = Date.now();
  const reserved = item(), body = new FormData();
  body.set("lease", reserved.dataset.lease);
  try {
    const answer = await request(reserved.dataset.heartbeatUrl, { method: "POST", body });
    if (item() !== reserved) return;
    if (answer.ok) extendTo(await answer.json());
    else if (answer.status === 409) expiresAt = Date.now() + clockOffset - 1;
    draw();
  } catch { /* offline: the clock runs on, and the next key tries again */ }
}

function extendTo({ expires_at: expires, now }) {
  if (!expires) return;
  expiresAt = Date.parse(expires);
  clockOffset = Date.parse(now) - Date.now();
  item().dataset.expires = expires;
  isWarned = false;
}

export function beatIfDue() {
  if (Date.now() - beatAt > HEARTBEAT) beat();
}

/* Give up the reservation of `reserved` while the page is left. */
export function release(reserved) {
  if (!reserved?.dataset.lease) return;
  const data = new FormData();
  data.set("csrfmiddlewaretoken", csrfToken());
  data.set("lease", reserved.dataset.lease);
  navigator.sendBeacon(reserved.dataset.releaseUrl, data);
}

setInterval(draw, 1000);
root.addEventListener("click", (event) => {
  if (event.target.closest("[data-extend]")) beat();
});
