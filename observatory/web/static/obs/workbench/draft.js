/* The draft of the item on the screen: saved a moment after the last key, kept in the tab until the
   server has it, and put back after a reload. */
import { say } from "../core/announce.js";
import { fill } from "../core/forms.js";
import { draftOf, dropDraft, entriesOf, keepDraft } from "../core/outbox.js";
import { csrfToken, request } from "../core/server.js";
import { connection, refusalOf, tab } from "./connection.js";
import { failedJobOf, showFailures, withdraw } from "./jobs.js";
import { byId, form, hasItem, item } from "./page.js";
import { reveal } from "./questions.js";

const SAVE_AFTER = 800, RETRY_AFTER = 5000; // ms
const KEEP_SAVED = 15000; // ms that the copy in the tab outlives the save

let timer = 0, saving = null;
let isDirty = false, isStopped = false, isConflict = false;
let typedAt = 0; // ms since the epoch
let otherVersion = null; // of the draft that another tab has saved meanwhile

const show = (words) => { byId("saved").textContent = words; };
const twoDigits = (number) => String(number).padStart(2, "0");

export function stop() {
  clearTimeout(timer);
  isStopped = true;
}

export function resume() {
  isStopped = false;
  saveIn(SAVE_AFTER);
}

/* Begin with the item that is on the screen now. */
export function start() {
  stop();
  isDirty = isConflict = false;
  show("");
  byId("conflict").hidden = true;
  restore();
}

export function touch() {
  withdraw();
  isStopped = false;
  isDirty = true;
  typedAt = Math.max(typedAt + 1, Date.now());
  keepCopy();
  saveIn(SAVE_AFTER);
}

/* Add which tab sends a form and when it was typed; return the form's data. */
export function sign(data) {
  data.set("tab", tab);
  data.set("typed_at", String(typedAt || Date.now()));
  return data;
}

function keepCopy(savedAt = 0) {
  const data = new FormData(form());
  const version = data.get("draft_version");
  keepDraft(item().dataset.item, { at: typedAt, savedAt, version, fields: entriesOf(data) });
}

/* The server has the text. A reload may be under way whose page was drawn before that, so the copy
   stays a little longer, marked as saved: `restore` sees by the version which is newer. */
function keepSavedCopy(id) {
  const savedAt = Date.now();
  keepCopy(savedAt);
  setTimeout(() => {
    if (draftOf(id)?.savedAt === savedAt) dropDraft(id);
  }, KEEP_SAVED);
}

/* Put back what was typed here and has not reached the server. */
function restore() {
  if (!hasItem() || !form()) return;
  const job = failedJobOf(item()), copy = draftOf(item().dataset.item);
  if (job) {
    fill(form(), [...job.body]);
    reveal();
    return;
  }
  if (!copy) return;
  const version = form().elements.draft_version;
  const isOnPage = Number(version.value) >= Number(copy.version);
  if (copy.savedAt && (isOnPage || Date.now() - copy.savedAt > KEEP_SAVED)) {
    dropDraft(item().dataset.item);
    return;
  }
  fill(form(), copy.fields);
  version.value = copy.version;
  typedAt = copy.at;
  isDirty = true;
  isStopped = false;
  saveIn(0);
  reveal();
}

function saveIn(ms) {
  clearTimeout(timer);
  timer = setTimeout(save, ms);
}

export async function flush() {
  clearTimeout(timer);
  if (saving) await saving;
  if (isDirty) await save();
}

export async function saveIfDirty() {
  if (isDirty) await save();
}

async function save() {
  clearTimeout(timer);
  if (!isDirty || !hasItem() || isConflict || isStopped) return;
  if (saving) {
    saveIn(SAVE_AFTER);
    return;
  }
  isDirty = false;
  const saved = item(), body = sign(new FormData(form()));
  show("Saving");
  saving = request(saved.dataset.draftUrl, { method: "POST", body })
    .then((answer) => answered(saved, answer))
    .catch(() => unsaved(saved, "Offline, kept here"))
    .finally(() => { saving = null; });
  await saving;
}

function answered(saved, answer) {
  if (answer.status !== 401 && connection.signedOut) {
    connection.signedOut = "";
    showFailures();
  }
  if (item() !== saved) return;
  const version = answer.headers.get("X-Draft-Version");
  if (answer.status === 204) {
    saved.querySelector('[name="draft_version"]').value = version;
    if (isDirty) keepCopy();
    else keepSavedCopy(saved.dataset.item);
    const now = new Date();
    show("Draft saved " + twoDigits(now.getHours()) + ":" + twoDigits(now.getMinutes()));
  } else if (answer.status === 409) {
    isConflict = true;
    otherVersion = version;
    show("");
    byId("conflict").hidden = false;
    say("This item was changed in another tab.", true);
  } else if (answer.status === 410) {
    show("Already reviewed in another tab");
  } else if (answer.status === 401) {
    isDirty = true;
    show("Signed out, kept here");
    refusalOf(answer).then(showFailures);
  } else {
    unsaved(saved, "Not saved, kept here");
  }
}

function unsaved(saved, words) {
  isDirty = true;
  if (item() !== saved) return;
  show(words);
  saveIn(RETRY_AFTER);
}

/* In a conflict: save what is here over the draft of the other tab. */
export function keepMine() {
  item().querySelector('[name="draft_version"]').value = otherVersion;
  isConflict = isStopped = false;
  isDirty = true;
  byId("conflict").hidden = true;
  save();
}

/* In a conflict: drop what is here and open the draft of the other tab. */
export function loadTheirs() {
  isDirty = false;
  dropDraft(item().dataset.item);
  location.href = item().dataset.openUrl;
}

/* Send what is not saved yet while the page is left. */
export function sendUnsaved() {
  if (!isDirty || !hasItem() || isConflict) return;
  const data = sign(new FormData(form()));
  data.set("csrfmiddlewaretoken", csrfToken());
  navigator.sendBeacon(item().dataset.draftUrl, data);
}
