/* Requests to the server: the CSRF token, and the user the page was drawn for. */
import { emit } from "./announce.js";

const SIGNED_IN = "obs:signed-in";

// The cookie, not the page's own token: it changes when the user signs in again in another tab.
export function csrfToken() {
  const { csrf, csrfCookie } = document.body.dataset;
  const cookie = document.cookie.split("; ").find((text) => text.startsWith(csrfCookie + "="));
  return cookie ? cookie.slice(csrfCookie.length + 1) : csrf || "";
}

export const user = () => document.body.dataset.user || "";

/* fetch() with the headers and the token that the server expects of a script. */
export function request(url, options) {
  const init = { credentials: "same-origin", ...options };
  init.headers = {
    "X-CSRFToken": csrfToken(),
    "X-Obs-Fetch": "1",
    "X-Obs-User": user(),
    ...init.headers,
  };
  if (init.body instanceof FormData) init.body.set("csrfmiddlewaretoken", csrfToken());
  return fetch(url, init);
}

// Tell the other tabs that a user has signed in: they send what they could not send before.
try {
  if (user()) localStorage.setItem(SIGNED_IN, user() + " " + Date.now());
} catch { /* no storage: they try again when they get the focus */ }
window.addEventListener("storage", (event) => {
  if (event.key === SIGNED_IN) emit("signed-in");
});
