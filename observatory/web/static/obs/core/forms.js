/* Forms: they are sent with the current token, and what was typed is kept until it is stored. */
import { toast } from "./announce.js";
import { csrfToken, user } from "./server.js";

const isFillable = (field) =>
  field.name && !field.matches('[type="hidden"], [type="password"], [type="submit"], button');

const isChoice = (field) => /^(radio|checkbox)$/.test(field.type);

/* Return [name, value] of each field that a person fills in. */
const filledFields = (form) =>
  [...form.elements]
    .filter(isFillable)
    .filter((field) => !isChoice(field) || field.checked)
    .map((field) => [field.name, field.value]);

/* Put [name, value] pairs back into the fields of `form`. */
export function fill(form, fields) {
  for (const field of form.elements) {
    if (!isFillable(field)) continue;
    const values = fields.filter(([name]) => name === field.name).map(([, value]) => value);
    if (isChoice(field)) field.checked = values.includes(field.value);
    else if (values.length) field.value = values[0];
  }
}

const KEY = "obs:form";
const storage = {
  read() {
    try { return JSON.parse(sessionStorage.getItem(KEY)); } catch { return null; }
  },
  write(submission) {
    try { sessionStorage.setItem(KEY, JSON.stringify(submission)); } catch { /* no storage */ }
  },
  clear() {
    try { sessionStorage.removeItem(KEY); } catch { /* no storage */ }
  },
};

const isUnsavedPage = () => document.body.hasAttribute("data-unsaved");
const formTo = (action) =>
  [...document.forms].find((form) => form.getAttribute("action") === action);

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-autosubmit-box]")) event.target.form.requestSubmit();
});

document.addEventListener("submit", (event) => {
  const token = event.target.querySelector('[name="csrfmiddlewaretoken"]');
  if (token && csrfToken()) token.value = csrfToken();
}, true);

window.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || isUnsavedPage()) return;
  storage.write({
    page: location.pathname,
    action: form.getAttribute("action"),
    user: user(),
    fields: filledFields(form),
  });
});

/* A page that says "sign in first" or "out of date" marks the submission as unsaved. The page of
   its form, opened again, puts it back. */
function restore() {
  const submission = storage.read();
  if (!submission) return;
  if (isUnsavedPage()) {
    storage.write({ ...submission, isUnsaved: true });
    return;
  }
  if (submission.isUnsaved && submission.page !== location.pathname) return;
  storage.clear();
  const form = submission.isUnsaved && submission.user === user() && formTo(submission.action);
  if (!form || !submission.fields.length) return;
  fill(form, submission.fields);
  setTimeout(() => toast("What you typed is here again. It is not saved yet.", { ms: 0 }), 0);
}
restore();
