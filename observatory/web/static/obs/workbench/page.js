/* The elements of the workbench: the item on the screen, its form, the next item. */
const FLASH = 160; // ms

export const root = document.getElementById("workbench");
export const find = (selector) => root.querySelector(selector);
export const byId = (id) => document.getElementById(id);

export const item = () => byId("item");
export const form = () => byId("review-form");
export const hasItem = () => !!item()?.dataset.item;

/* The next item waits in a <template>: it is shown before the answer to the submit has come. */
export const next = () => byId("next");
export const nextItem = () => next().content.querySelector("[data-item]");

/* Let the address name the item on the screen, so that a reload opens it; null: the next one. */
export function setAddress(url) {
  history.replaceState(history.state, "", url || location.pathname);
}

export function setBusy(isBusy) {
  find("[data-submit]")?.setAttribute("aria-disabled", String(isBusy));
  const text = find("[data-bar-text]");
  if (text) text.textContent = isBusy ? "Loading next" : "";
}

export function flash(selector) {
  const button = find(selector);
  if (!button) return;
  button.classList.add("is-flash");
  setTimeout(() => button.classList.remove("is-flash"), FLASH);
}

/* The reviewer's turn at the item on the screen; shared by what ends it. */
export const turn = {
  shownAt: performance.now(),
  isLocked: false, // the item is being left: nothing else may leave it
  isWaiting: false, // ... and the server's next item is not here yet
};
