/* Keys. A scope binds names to functions; the last scope pushed is asked first.
   Never while typing, under a dialog, on a repeat, or with the operating system's modifiers. */
(function () {
  "use strict";
  const obs = window.obs;
  const scopes = [];
  let chord = 0;

  obs.keys = {
    push(bindings) { scopes.unshift(bindings); return () => scopes.splice(scopes.indexOf(bindings), 1); },
  };

  obs.isTyping = (element) =>
    !!element && (element.isContentEditable || element.matches("textarea, select") ||
      (element.matches("input") && !["radio", "checkbox", "button", "submit", "range"].includes(element.type)));

  obs.singleKeys = () => document.documentElement.dataset.keys !== "off";

  function nameOf(event) {
    const altGr = event.getModifierState && event.getModifierState("AltGraph");
    if (event.altKey && !altGr) return null;
    const command = (event.ctrlKey || event.metaKey) && !altGr;
    if (command) return "mod+" + event.key.toLowerCase();
    return event.key;
  }

  const places = { h: "", p: "projects/", q: "queues/", d: "datasets/", t: "trends/", m: "prompts/", s: "settings/" };

  const everywhere = {
    "?": () => { const d = document.getElementById("help-dialog"); if (d && !d.open) d.showModal(); },
    "/": () => {
      const box = document.querySelector("[data-filter]");
      if (!box) return false;
      box.focus(); box.select();
    },
    j: () => obs.walkRows(1),
    k: () => obs.walkRows(-1),
    r: () => {
      const link = document.querySelector('[data-key="r"]') || document.querySelector("[data-review]");
      if (!link) return false;
      link.click();
    },
    q: () => {
      const button = document.querySelector('[data-key="q"]');
      if (!button) return false;
      button.focus(); button.click();
    },
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const name = nameOf(event);
    if (!name) return;
    const isModified = name.startsWith("mod+");
    if (document.querySelector("dialog[open]")) return; // the dialog closes itself on Esc
    if (name === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      if (menu) { menu.open = false; menu.querySelector("summary").focus(); event.preventDefault(); return; }
    }
    if (!isModified && name !== "Escape") {
      if (obs.isTyping(event.target)) return;
      if (!obs.singleKeys() && event.key.length === 1) return;
      if (chord && Date.now() - chord < 1200 && name in places && document.body.dataset.root) {
        chord = 0;
        event.preventDefault();
        location.href = document.body.dataset.root + places[name];
        return;
      }
      chord = 0;
      if (name === "g") { chord = Date.now(); return; }
    }
    for (const scope of [...scopes, everywhere]) {
      const bound = scope[name];
      if (!bound) continue;
      // A held key never acts twice: what it would hit the second time was not read yet.
      if (event.repeat && !bound.mayRepeat) { event.preventDefault(); return; }
      if (bound(event) !== false) { event.preventDefault(); return; }
    }
  });
})();
