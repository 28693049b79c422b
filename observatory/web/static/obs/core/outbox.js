/* What was typed and is not stored yet, kept in the tab for the user who typed it: drafts by item,
   and reviews on their way by queue. It outlives a reload and the session, not the tab. */
import { user } from "./server.js";

const keyOf = (kind, id) => ["obs:work", user(), kind, id].join(":");

export function read(key) {
  try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; }
}

export function write(key, value) {
  try {
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch { /* full or refused: the page itself still holds it */ }
}

export const entriesOf = (data) => [...data].filter(([field]) => field !== "csrfmiddlewaretoken");

function formDataOf(entries) {
  const data = new FormData();
  for (const [field, value] of entries) data.append(field, value);
  return data;
}

export const draftOf = (item) => read(keyOf("draft", item));
export const keepDraft = (item, draft) => write(keyOf("draft", item), draft);
export const dropDraft = (item) => write(keyOf("draft", item), null);

/* Return the jobs of a queue that had no answer when the page was left. */
export const jobsOf = (queue) =>
  (read(keyOf("jobs", queue)) || []).map((job) => ({ ...job, body: formDataOf(job.fields) }));

export function keepJobs(queue, jobs) {
  const rows = jobs.map(({ url, body, words, open, name, item }) => (
    { url, words, open, name, item, fields: entriesOf(body) }
  ));
  write(keyOf("jobs", queue), rows.length ? rows : null);
}

/* Return [queue, number of jobs] of each queue that has jobs, named as in `keepJobs`. */
export function queuesWithJobs() {
  const prefix = keyOf("jobs", "");
  try {
    const keys = Object.keys(sessionStorage).filter((key) => key.startsWith(prefix));
    return keys.map((key) => [key.slice(prefix.length), read(key).length]);
  } catch {
    return []; // no storage
  }
}
