/* Announcements: events for other modules, sentences for screen readers, toasts. */
const INTERVAL = 400; // ms between two sentences of the polite region
let spokenAt = 0, timer = 0;

/* Dispatch an event named obs:*. Modules listen to these, never to htmx's. */
export const emit = (name) => document.dispatchEvent(new CustomEvent("obs:" + name));

/* Announce a sentence. A newer one replaces one that is not announced yet. */
export function say(text, isUrgent) {
  const region = document.getElementById(isUrgent ? "alert" : "live");
  if (!region || !text) return;
  if (isUrgent) {
    region.textContent = text;
    return;
  }
  clearTimeout(timer);
  timer = setTimeout(() => {
    spokenAt = Date.now();
    region.textContent = text;
  }, Math.max(0, spokenAt + INTERVAL - Date.now()));
}

/* Show a toast for `ms` milliseconds (0: until the page is left); return its element. */
export function toast(text, { action, onAction, isBad, ms = 10000 } = {}) {
  const box = document.getElementById("toasts");
  if (!box) return null;
  const element = document.createElement("div");
  element.className = "toast" + (isBad ? " is-bad" : "");
  const words = document.createElement("span");
  words.textContent = text;
  element.append(words);
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button is-small";
    button.textContent = action;
    button.addEventListener("click", () => {
      element.remove();
      onAction();
    });
    element.append(button);
  }
  while (box.children.length > 2) box.firstChild.remove();
  box.append(element);
  say(text, isBad);
  if (ms) setTimeout(() => element.remove(), ms);
  return element;
}
