/* Keys. A scope binds names of keys to functions; the newest scope comes first, and a function that
   returns false leaves the key to the next. Never while typing, under a dialog, on a repeat, or
   with the modifiers of the operating system. */
const CHORD_TIME = 1200; // ms between `g` and the letter of a section
const SECTIONS = {
  h: "", p: "projects/", q: "queues/", d: "datasets/", t: "trends/", m: "prompts/", s: "settings/",
};
let chordAt = 0;

/* Walk the links of the rows in [data-rows]; return false if the page has none. */
function walkRows(step) {
  const links = [...document.querySelectorAll("[data-rows] .row-link")];
  if (!links.length) return false;
  const place = links.indexOf(document.activeElement);
  const start = step > 0 ? 0 : links.length - 1;
  const link = links[place < 0 ? start : place + step];
  if (link) {
    link.focus();
    link.scrollIntoView({ block: "nearest" });
  }
  return true;
}

const everyPage = {
  "?": () => {
    const dialog = document.getElementById("help-dialog");
    if (dialog && !dialog.open) dialog.showModal();
  },
  "/": () => {
    const box = document.querySelector("[data-filter]");
    if (!box) return false;
    box.focus();
    box.select();
  },
  j: () => walkRows(1),
  k: () => walkRows(-1),
  r: () => {
    const first = document.querySelector('[data-key="r"]');
    const link = first || document.querySelector("[data-review]");
    if (!link) return false;
    link.click();
  },
  q: () => {
    const button = document.querySelector('[data-key="q"]');
    if (!button) return false;
    button.focus();
    button.click();
  },
};
const scopes = [everyPage];

export const addScope = (bindings) => scopes.unshift(bindings);

export const isTyping = (element) =>
  !!element && (element.isContentEditable || element.matches("textarea, select") ||
    (element.matches("input") &&
      !["radio", "checkbox", "button", "submit", "range"].includes(element.type)));

const hasSingleKeys = () => document.documentElement.dataset.keys !== "off";

function nameOf(event) {
  const isAltGr = event.getModifierState && event.getModifierState("AltGraph");
  if (event.altKey && !isAltGr) return null;
  const isCommand = (event.ctrlKey || event.metaKey) && !isAltGr;
  return isCommand ? "mod+" + event.key.toLowerCase() : event.key;
}

function closeMenu() {
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return false;
  menu.open = false;
  menu.querySelector("summary").focus();
  return true;
}

/* `g` and a letter go to a section; return whether the key is one of them. */
function isChord(name, event) {
  const { root } = document.body.dataset;
  const isSecond = chordAt && Date.now() - chordAt < CHORD_TIME && name in SECTIONS && root;
  chordAt = !isSecond && name === "g" ? Date.now() : 0;
  if (isSecond) {
    event.preventDefault();
    location.href = root + SECTIONS[name];
  }
  return isSecond || name === "g";
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing) return;
  const name = nameOf(event);
  if (!name) return;
  if (document.querySelector("dialog[open]")) return; // the dialog closes itself on Esc
  if (name === "Escape" && closeMenu()) {
    event.preventDefault();
    return;
  }
  if (!name.startsWith("mod+") && name !== "Escape") {
    if (isTyping(event.target)) return;
    if (!hasSingleKeys() && event.key.length === 1) return;
    if (isChord(name, event)) return;
  }
  for (const scope of scopes) {
    const action = scope[name];
    if (!action) continue;
    // A held key never acts twice: the second item was not read yet.
    if (event.repeat && !action.mayRepeat) {
      event.preventDefault();
      return;
    }
    if (action(event) !== false) {
      event.preventDefault();
      return;
    }
  }
});
