/* What every page shares: the one place that knows htmx's events, and toasts, live regions,
   dialogs, copying, roving rows. Other files listen to obs:* events only. */
(function () {
  "use strict";
  const obs = (window.obs = {});

  obs.csrf = () => document.body.dataset.csrf || "";

  obs.fetch = function (url, options) {
    const all = Object.assign({ credentials: "same-origin" }, options);
    all.headers = Object.assign({ "X-CSRFToken": obs.csrf(), "X-Obs-Fetch": "1" }, all.headers);
    return fetch(url, all);
  };

  obs.emit = (name, detail, target) =>
    (target || document).dispatchEvent(new CustomEvent("obs:" + name, { detail, bubbles: true }));

  // One sentence a second at most: a screen reader reads each.
  let spoken = 0;
  obs.say = function (text, isUrgent) {
    const region = document.getElementById(isUrgent ? "alert" : "live");
    if (!region || !text) return;
    const wait = isUrgent ? 0 : Math.max(0, spoken + 1000 - Date.now());
    spoken = Date.now() + wait;
    setTimeout(() => { region.textContent = text; }, wait);
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
