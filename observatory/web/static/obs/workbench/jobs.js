/* Reviews, skips and requeues that the server has not stored yet, and the strip that says so. A job
   is {url, body, words, open, name, item, showing}; one that failed also has {status, reason}. */
import { emit, say } from "../core/announce.js";
import { jobsOf, keepJobs } from "../core/outbox.js";
import { connection } from "./connection.js";
import { byId, hasItem, item, root } from "./page.js";

const sending = new Set();
const failed = jobsOf(root.dataset.next); // on their way when the page was left

const keep = () => keepJobs(root.dataset.next, [...sending, ...failed]);

export const nSending = () => sending.size;
export const nFailed = () => failed.length;
export const hasFailed = (job) => failed.includes(job);
export const failedJobOf = (item) => failed.find((job) => job.open === item.dataset.openUrl);

/* Return the jobs that may be sent again: the server has not refused them for good. */
export const retryable = () => failed.filter((job) => !job.reason);

export function startSending(job) {
  sending.add(job);
  keep();
}

export function markFailed(job, { status = 0, reason = "" }) {
  failed.push(Object.assign(job, { status, reason }));
}

export function stopSending(job) {
  sending.delete(job);
  keep();
}

/* Take a failed job out of the list: it is sent again, or given up. */
export function takeOut(job) {
  failed.splice(failed.indexOf(job), 1);
}

function discard(job) {
  takeOut(job);
  keep();
}

/* ---- the strip ---- */
function wordsOf(job) {
  const { signedOut } = connection;
  if (!job) {
    return signedOut[0].toUpperCase() + signedOut.slice(1) + " What you type is kept in this tab.";
  }
  const cause = job.status ? "the server failed." : "no connection.";
  const subject = failed.length === 1 ? " review is" : " reviews are";
  return failed.length + subject + " not saved: " + (job.reason || signedOut || cause);
}

function control(tag, label) {
  const element = document.createElement(tag);
  element.className = "button is-small";
  element.textContent = label;
  return element;
}

function button(label, action) {
  const element = control("button", label);
  element.type = "button";
  element.addEventListener("click", action);
  return element;
}

function link(label, href) {
  const element = control("a", label);
  element.href = href;
  return element;
}

function actionsFor(job) {
  const actions = [];
  if (connection.signedOut) {
    const signIn = link("Sign in", root.dataset.login);
    signIn.target = "_blank";
    actions.push(signIn);
  }
  if (!job?.reason) return [...actions, button("Retry", () => emit("retry"))];
  const dismiss = () => {
    discard(failed[0]);
    showFailures();
  };
  return [...actions, link("Open " + job.name, job.open), button("Dismiss", dismiss)];
}

export function showFailures() {
  const strip = byId("failed"), text = strip.querySelector("[data-failed-text]");
  const actions = strip.querySelector("[data-failed-actions]");
  strip.hidden = !failed.length && !connection.signedOut;
  actions.replaceChildren();
  if (strip.hidden) {
    text.textContent = "";
    return;
  }
  const job = failed[0], words = wordsOf(job);
  if (text.textContent !== words) say(words, true);
  text.textContent = words;
  actions.append(...actionsFor(job));
}

/* The item on the screen is edited again: its job that failed is not sent any more. */
export function withdraw() {
  const job = hasItem() && failedJobOf(item());
  if (!job) return;
  discard(job);
  showFailures();
}
