/* What every page shares: the one place that knows htmx's events, and toasts, live regions,
   dialogs, copying, roving rows. Other files listen to obs:* events only. */
(function () {
  "use strict";
  const obs = (window.obs = {});

  // The cookie, not what the page came with: it changes when one signs in again in another tab.
  obs.csrf = function () {
    const { csrf, csrfCookie } = document.body.dataset;
    const kept = document.cookie.split("; ").find((one) => one.startsWith(csrfCookie + "="));
    return kept ? kept.slice(csrfCookie.length + 1) : csrf || "";
  };
  obs.user = () => document.body.dataset.user || "";

  obs.fetch = function (url, options) {
    const all = Object.assign({ credentials: "same-origin" }, options);
    all.headers = Object.assign({ "X-CSRFToken": obs.csrf(), "X-Obs-Fetch": "1", "X-Obs-User": obs.user() }, all.headers);
    if (all.body instanceof FormData) all.body.set("csrfmiddlewaretoken", obs.csrf());
    return fetch(url, all);
  };

  // Tell the other tabs that somebody has signed in: what they could not send goes now.
  try {
    if (obs.user()) localStorage.setItem("obs:signed-in", obs.user() + " " + Date.now());
  } catch { /* no storage: they try again when they are looked at */ }
  window.addEventListener("storage", (event) => { if (event.key === "obs:signed-in") obs.emit("signed-in"); });

  obs.emit = (name, detail, target) =>
    (target || document).dispatchEvent(new CustomEvent("obs:" + name, { detail, bubbles: true }));

  // A screen reader reads each sentence: the newest takes the place of one not yet said.
  let spoken = 0, waiting = 0;
  obs.say = function (text, isUrgent) {
    const region = document.getElementById(isUrgent ? "alert" : "live");
    if (!region || !text) return;
    if (isUrgent) { region.textContent = text; return; }
    clearTimeout(waiting);
    waiting = setTimeout(() => { spoken = Date.now(); region.textContent = text; }, Math.max(0, spoken + 400 - Date.now()));
  };

  obs.toast = function (text, options) {
    const { action, onAction, isBad, ms = 10000 } = options || {};
    const box = document.getElementById("toasts");
    if (!box) return null;
    const toast = document.createElement("div");
    toast.className = "toast" + (isBad ? " is-bad" : "");
    const words = document.createElement("span");
    words.textContent = text;
    toast.append(words);
    if (action) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button is-small";
      button.textContent = action;
      button.addEventListener("click", () => { toast.remove(); onAction(); });
      toast.append(button);
    }
    while (box.children.length > 2) box.firstChild.remove();
    box.append(toast);
    obs.say(text, isBad);
    if (ms) setTimeout(() => toast.remove(), ms);
    return toast;
  };

  /* Put each element of `html` in the place of the one with its id. */
  obs.applyParts = function (html) {
    const parsed = new DOMParser().parseFromString(html, "text/html");
    for (const part of [...parsed.body.children]) {
      const old = part.id && document.getElementById(part.id);
      if (old) { old.replaceWith(part); obs.ready(part); }
    }
  };

  obs.ready = function (root) {
    if (window.htmx) window.htmx.process(root);
    obs.emit("swapped", { root });
  };

  // ---- the htmx adapter --------------------------------------------------------------------
  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRFToken"] = obs.csrf();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    // A poll must not pull the floor from under the keyboard: put the focus back by address.
    const inside = event.detail.target && event.detail.target.contains(document.activeElement);
    obs.refocus = inside ? document.activeElement.getAttribute("href") : null;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    if (obs.refocus) {
      const again = document.querySelector('a[href="' + CSS.escape(obs.refocus) + '"]');
      if (again) again.focus({ preventScroll: true });
      obs.refocus = null;
    }
    obs.emit("swapped", { root: event.target });
  });
  const failed = () => obs.toast("The server did not answer. Nothing was changed.", { isBad: true });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 401) location.reload();
    else failed();
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (!(event.detail.requestConfig || {}).triggeringEvent) return; // a poll tries again by itself
    failed();
  });

  // ---- small behaviours by attribute -------------------------------------------------------
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.dialog);
      if (dialog && !dialog.open) dialog.showModal();
    }
    if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
    const copier = event.target.closest("[data-copy]");
    if (copier) copy(copier);
    closeMenus((menu) => !menu.contains(event.target));
  });

  // ---- menus: a table that scrolls sideways would cut them off, so these stand on the window ----
  function closeMenus(isMeant) {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (isMeant(menu)) menu.open = false;
  }
  function place(menu) {
    const list = menu.querySelector(".menu-list"), at = menu.querySelector("summary").getBoundingClientRect();
    menu.classList.add("is-placed");
    const below = window.innerHeight - at.bottom - 12, needed = list.offsetHeight;
    const top = needed <= below || at.top < below ? at.bottom + 6 : Math.max(6, at.top - 6 - needed);
    const left = menu.classList.contains("is-end") ? at.right - list.offsetWidth : at.left;
    list.style.top = top + "px";
    list.style.left = Math.max(6, Math.min(left, document.documentElement.clientWidth - list.offsetWidth - 6)) + "px";
  }
  document.addEventListener("toggle", (event) => {
    const menu = event.target;
    if (menu.matches("details.menu[open]") && menu.closest(".table-wrap")) place(menu);
  }, true);
  const leave = (event) => closeMenus((menu) => menu.classList.contains("is-placed") && !menu.contains(event.target));
  document.addEventListener("scroll", leave, { capture: true, passive: true });
  window.addEventListener("resize", leave);

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const text = source ? source.value || source.textContent : button.dataset.text || "";
    try {
      await navigator.clipboard.writeText(text);
      obs.toast("Copied", { ms: 2000 });
    } catch {
      // No clipboard on plain HTTP: choose the text, so that Ctrl+C takes it.
      if (source) getSelection().selectAllChildren(source);
      obs.toast("Press Ctrl+C to copy", { ms: 4000 });
    }
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-autosubmit-box]")) event.target.form.requestSubmit();
  });

  // ---- forms: the token of now, and what was typed, until it is stored ------------------------
  const LEFT = "obs:form";
  const formOf = (action) => [...document.forms].find((form) => form.getAttribute("action") === action);
  const isText = (field) => field.name && !field.matches('[type="hidden"], [type="password"], [type="submit"], button');
  function left(change) {
    try {
      if (change === undefined) return JSON.parse(sessionStorage.getItem(LEFT));
      if (change === null) sessionStorage.removeItem(LEFT);
      else sessionStorage.setItem(LEFT, JSON.stringify(change));
    } catch { /* no storage */ }
    return null;
  }
  obs.fill = function (form, fields) {
    for (const field of form.elements) {
      if (!isText(field)) continue;
      const values = fields.filter(([name]) => name === field.name).map(([, value]) => value);
      if (/^(radio|checkbox)$/.test(field.type)) field.checked = values.includes(field.value);
      else if (values.length) field.value = values[0];
    }
  };
  document.addEventListener("submit", (event) => {
    const token = event.target.querySelector('[name="csrfmiddlewaretoken"]');
    if (token && obs.csrf()) token.value = obs.csrf();
  }, true);
  window.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || document.body.hasAttribute("data-unsaved")) return;
    const fields = [...form.elements].filter(isText).filter((field) => !/^(radio|checkbox)$/.test(field.type) || field.checked);
    left({ page: location.pathname, action: form.getAttribute("action"), user: obs.user(), fields: fields.map((field) => [field.name, field.value]) });
  });
  // On the page that says "sign in first" or "out of date" it is marked; then it is put back.
  (function () {
    const kept = left();
    if (!kept) return;
    if (document.body.hasAttribute("data-unsaved")) { left(Object.assign(kept, { isUnsaved: true })); return; }
    if (kept.isUnsaved && kept.page !== location.pathname) return;
    left(null);
    const form = kept.isUnsaved && kept.user === obs.user() && formOf(kept.action);
    if (!form || !kept.fields.length) return;
    obs.fill(form, kept.fields);
    setTimeout(() => obs.toast("What you typed is here again. It is not saved yet.", { ms: 0 }), 0);
  })();

  // ---- reviews of a workbench that was left before they were stored: see obs-outbox.js -------------
  (function () {
    const mine = "obs:work:" + obs.user() + ":jobs:";
    if (!obs.user() || document.getElementById("bench")) return;
    try {
      for (const key of Object.keys(sessionStorage).filter((one) => one.startsWith(mine))) {
        const jobs = JSON.parse(sessionStorage.getItem(key)), page = key.slice(mine.length).replace(/next$/, "");
        const words = jobs.length === 1 ? "1 review is not saved yet." : jobs.length + " reviews are not saved yet.";
        setTimeout(() => obs.toast(words, { isBad: true, ms: 0, action: "Save now", onAction: () => { location.href = page; } }), 0);
      }
    } catch { /* no storage */ }
  })();

  // ---- rows: j and k walk the links of [data-rows] -----------------------------------------
  obs.walkRows = function (step) {
    const links = [...document.querySelectorAll("[data-rows] .row-link")];
    if (!links.length) return false;
    const now = links.indexOf(document.activeElement);
    const next = now < 0 ? (step > 0 ? 0 : links.length - 1) : now + step;
    if (links[next]) { links[next].focus(); links[next].scrollIntoView({ block: "nearest" }); }
    return true;
  };

  const start = document.querySelector("[data-focus]");
  if (start) start.focus();
})();
