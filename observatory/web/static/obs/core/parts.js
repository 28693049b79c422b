/* Parts of a page that the server has drawn anew; the one module that knows htmx's events. */
import { toast } from "./announce.js";
import { csrfToken } from "./server.js";

/* Replace each element that has the id of one in `html`. */
export function applyParts(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  for (const part of [...parsed.body.children]) {
    const old = part.id && document.getElementById(part.id);
    if (old) {
      old.replaceWith(part);
      ready(part);
    }
  }
}

/* Let htmx read the attributes of an element that was put in without it. */
export function ready(root) {
  if (window.htmx) window.htmx.process(root);
}

let refocus = null; // the address of the link that had the focus before a swap

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRFToken"] = csrfToken();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  // A poll that replaces the focused link gives the focus back to the link of the same address.
  const isInside = event.detail.target && event.detail.target.contains(document.activeElement);
  refocus = isInside ? document.activeElement.getAttribute("href") : null;
});

document.addEventListener("htmx:afterSettle", () => {
  if (!refocus) return;
  document.querySelector('a[href="' + CSS.escape(refocus) + '"]')?.focus({ preventScroll: true });
  refocus = null;
});

const complain = () => toast("The server did not answer. Nothing was changed.", { isBad: true });

document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) location.reload();
  else complain();
});

document.addEventListener("htmx:sendError", (event) => {
  if (!(event.detail.requestConfig || {}).triggeringEvent) return; // a poll tries again by itself
  complain();
});
