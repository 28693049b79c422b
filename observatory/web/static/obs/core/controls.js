/* Dialogs, buttons that copy, menus: what their attributes and classes say. */
import { toast } from "./announce.js";

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.dialog);
    if (dialog && !dialog.open) dialog.showModal();
  }
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});

// Copy the text of the element named by data-copy, or data-text.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const text = source ? source.value || source.textContent : button.dataset.text || "";
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied", { ms: 2000 });
  } catch {
    // No clipboard on plain HTTP: select the text, so that Ctrl+C copies it.
    if (source) getSelection().selectAllChildren(source);
    toast("Press Ctrl+C to copy", { ms: 4000 });
  }
}

// A table that scrolls sideways would cut a menu off: there it is placed on the window.
function closeMenus(isMeant) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (isMeant(menu)) menu.open = false;
  }
}

function place(menu) {
  const list = menu.querySelector(".menu-list");
  const summary = menu.querySelector("summary").getBoundingClientRect();
  menu.classList.add("is-placed");
  const below = window.innerHeight - summary.bottom - 12, needed = list.offsetHeight;
  const fitsBelow = needed <= below || summary.top < below;
  const top = fitsBelow ? summary.bottom + 6 : Math.max(6, summary.top - 6 - needed);
  const left = menu.classList.contains("is-end") ? summary.right - list.offsetWidth : summary.left;
  const rightmost = document.documentElement.clientWidth - list.offsetWidth - 6;
  list.style.top = top + "px";
  list.style.left = Math.max(6, Math.min(left, rightmost)) + "px";
}

document.addEventListener("click", (event) => closeMenus((menu) => !menu.contains(event.target)));
document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (menu.matches("details.menu[open]") && menu.closest(".table-wrap")) place(menu);
}, true);

const leave = (event) =>
  closeMenus((menu) => menu.classList.contains("is-placed") && !menu.contains(event.target));
document.addEventListener("scroll", leave, { capture: true, passive: true });
window.addEventListener("resize", leave);
