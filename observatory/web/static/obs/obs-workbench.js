/* The workbench: judge, go on, take back; drafts; the reservation's clock.
   The server is the only authority. What is here makes it quick: the next item waits in
   <template id="next"> and is swapped in before the POST of the last one returns. */
(function () {
  "use strict";
  const obs = window.obs;
  const bench = document.getElementById("bench");
  if (!bench) return;
  const DWELL = 400, MOST_PENDING = 3, SAVE_AFTER = 800, BEAT = 60000, KEEP_SAVED = 15000, RETRY = 3000, RETRY_MOST = 60000;
  const outbox = obs.outbox;

  const $ = (selector) => bench.querySelector(selector);
  const item = () => document.getElementById("item");
  const form = () => document.getElementById("review-form");
  const isItem = () => !!(item() && item().dataset.item);

  let shownAt = performance.now();   // of the item on the screen
  let isLocked = false;              // an advance is under way
  let isWaiting = false;             // ... and waits for the server's next item
  let active = null;                 // the question that number keys answer
  let pending = 0;
  const failed = [];                 // what could not be sent, with what was typed
  const sending = new Set();         // what is on its way
  let signedOut = "";                // why the server did not know us the last time

  // ---- the item on the screen --------------------------------------------------------------
  function arrived(words) {
    shownAt = performance.now();
    active = null;
    reveal();
    mark(asks()[0], false);
    const heading = item().querySelector("h2");
    if (heading) heading.focus({ preventScroll: true });
    const context = item().querySelector("[data-context]");
    if (context) toAnswer(context);
    if (words) window.scrollTo(0, 0); // on a phone the page itself scrolls
    if (words) obs.say(words + (isItem() ? " " + item().dataset.name : ""));
    document.title = (isItem() ? item().dataset.name + " - " : "") + bench.dataset.title;
    draft.reset();
    draft.restore();
    clock.reset();
    showUndo();
    obs.emit("item");
  }

  function toAnswer(context) {
    context.scrollTop = 0;
    const answer = [...context.querySelectorAll("#answer, [data-answer]")].pop(); // a thread has one in each turn
    // Long conversations begin at the final answer; short ones at the question.
    if (answer && answer.offsetTop > context.clientHeight) context.scrollTop = answer.offsetTop - 90;
  }

  // ---- questions ---------------------------------------------------------------------------
  const asks = () => (item() ? [...item().querySelectorAll("[data-ask]:not([hidden])")] : []);
  const current = () => (active && active.isConnected ? active : asks()[0]);

  function mark(ask, isFocused = true) {
    for (const other of asks()) other.classList.toggle("is-active", other === ask);
    active = ask || null;
    if (!ask || !isFocused) return;
    const number = ask.dataset.kind === "continuous" && ask.querySelector('input[type="number"]');
    (number || ask).focus({ preventScroll: true });
    ask.scrollIntoView({ block: "nearest" });
  }

  const isAnswered = (ask) => {
    if (ask.querySelector("[data-cant]:checked")) return true;
    if (ask.querySelector('input[type="radio"]')) return !!ask.querySelector('input[type="radio"]:checked');
    const field = ask.querySelector('input[type="number"], textarea');
    return !!field && field.value.trim() !== "";
  };

  // ---- conditions: the server decides again, by the same rules (annotations/conditions.py) ----
  const byKey = (key) => item().querySelector('[data-ask][data-key="' + CSS.escape(key) + '"]');

  /* Return the answer of a question as {score, isEmpty}; hidden or "can't judge" is empty. */
  function answerOf(key) {
    const ask = byKey(key), none = { score: null, isEmpty: true };
    if (!ask || ask.hidden || !isAnswered(ask) || ask.querySelector("[data-cant]:checked")) return none;
    const field = ask.querySelector('input[type="radio"]:checked, input[type="number"]');
    return { score: field ? Number(field.value) : null, isEmpty: false };
  }

  function holds(text) {
    const condition = JSON.parse(text);
    const told = condition.rules.map((rule) => {
      const answer = answerOf(rule.key);
      if (rule.op === "is_empty") return answer.isEmpty;
      if (rule.op === "is_not_empty") return !answer.isEmpty;
      return answer.score !== null && rule.values.includes(answer.score);
    });
    return condition.join === "all" ? told.every(Boolean) : told.some(Boolean);
  }

  /* Show the questions whose conditions hold. Chains settle in as many rounds as there are asks. */
  function reveal() {
    if (!item()) return;
    const depending = [...item().querySelectorAll("[data-visible-if]")];
    for (let round = 0; round <= depending.length; round++) {
      let isSettled = true;
      for (const ask of depending) {
        const isHidden = !holds(ask.dataset.visibleIf);
        if (isHidden !== ask.hidden) { ask.hidden = isHidden; isSettled = false; }
      }
      if (isSettled) break;
    }
    for (const ask of item().querySelectorAll("[data-required-if]")) {
      ask.querySelector("[data-req]")?.toggleAttribute("hidden", !holds(ask.dataset.requiredIf));
    }
    if (active && active.hidden) active = null;
  }

  const isRequired = (ask) =>
    ask.hasAttribute("data-required") || (!!ask.dataset.requiredIf && holds(ask.dataset.requiredIf));

  function mismatch(ask) {
    const field = ask.querySelector("textarea");
    if (!ask.dataset.pattern || !field || !field.value.trim()) return "";
    try {
      return new RegExp(ask.dataset.pattern, "u").test(field.value.trim()) ? "" : "The answer must match " + ask.dataset.pattern;
    } catch { return ""; } // a pattern of the server's own kind: it will say
  }

  function step(by) {
    const all = asks(), place = all.indexOf(current());
    const inside = document.activeElement && document.activeElement.closest("[data-ask]");
    const next = inside || by < 0 ? all[place + by] : all[place];
    if (next) mark(next);
    else if (by > 0) { const area = document.getElementById("correction"); if (area) area.focus(); }
  }

  function choose(number) {
    const ask = current();
    if (!ask) return false;
    const radios = [...ask.querySelectorAll('input[type="radio"]')];
    if (!radios.length || number > radios.length) return false;
    if (number === 0) radios.forEach((radio) => { radio.checked = false; });
    else radios[number - 1].checked = true;
    const cant = ask.querySelector("[data-cant]");
    if (cant) cant.checked = false;
    clearError(ask);
    draft.touch();
    reveal();
    if (number === 0) return mark(ask);
    const label = radios[number - 1].closest("label").querySelector("span").lastChild.textContent.trim();
    obs.say(ask.dataset.title + ": " + label);
    const all = asks(), next = all.slice(all.indexOf(ask) + 1).find((other) => !isAnswered(other));
    mark(next || ask);
  }

  function clearError(ask) {
    const error = ask.querySelector("[data-error]");
    if (error) { error.hidden = true; error.textContent = ""; }
  }

  function complain(ask, words) {
    const error = ask.querySelector("[data-error]");
    if (error) { error.textContent = words; error.hidden = false; }
  }

  /* Return the first question that cannot be sent, its complaint shown; null when all is well. */
  function firstWrong() {
    let wrong = null;
    for (const ask of asks()) {
      clearError(ask);
      const number = ask.querySelector('input[type="number"]');
      let words = "";
      if (number && !number.validity.valid) words = number.validationMessage;
      else if (isRequired(ask) && !isAnswered(ask)) words = "An answer is needed.";
      else if (!ask.querySelector("[data-cant]:checked")) words = mismatch(ask);
      if (words) { complain(ask, words); wrong = wrong || ask; }
    }
    const box = item().querySelector("[data-correction]");
    if (box) {
      clearError(box);
      if (box.dataset.shape === "json" && obs.isCorrected()) {
        try { JSON.parse(document.getElementById("correction").value); }
        catch (error) { complain(box, "Not JSON: " + error.message); wrong = wrong || box; }
      }
    }
    return wrong;
  }

  // ---- going on ----------------------------------------------------------------------------
  const next = () => document.getElementById("next");
  const nextItem = () => next().content.querySelector("[data-item]");

  function swapNext(words) {
    const waiting = next().content.firstElementChild;
    if (!waiting) return false;
    item().replaceWith(waiting);
    next().content.replaceChildren();
    next().removeAttribute("data-nothing");
    obs.ready(item());
    arrived(words);
    return true;
  }

  /* Let the address name the item on the screen, so that a reload opens it; null: the next one. */
  function setAddress(url) {
    history.replaceState(history.state, "", url || location.pathname);
  }

  /* Leave the item: show the next at once if it is here, and send `body` to `url`. */
  function advance(url, body, words) {
    if (isLocked || !isItem()) return;
    withdraw();
    if (pending + failed.length >= MOST_PENDING) {
      obs.toast("Waiting for the server: " + (pending + failed.length) + " reviews are not saved yet.", { isBad: true });
      return;
    }
    isLocked = true;
    draft.stop();
    withdrawUndo();
    setAddress(null);
    const { openUrl, name, item: id } = item().dataset;
    const job = { url, body, words, open: openUrl, name, item: id };
    if (nextItem()) {
      job.showing = nextItem().dataset.item;
      swapNext(words + ".");
      clock.beat();
      isLocked = false;
    } else {
      isWaiting = true;
      busy(true);
    }
    send(job);
  }

  function busy(isBusy) {
    const button = $("[data-submit]");
    if (button) { button.setAttribute("aria-disabled", String(isBusy)); }
    const text = $("[data-bar-text]");
    if (text) text.textContent = isBusy ? "Loading next" : "";
  }

  /* Answers that will not be different the next time; the server says why, or we do. */
  const REFUSALS = {
    400: "the server did not understand it.", 403: "you may not review here any more.",
    404: "this item is no longer here.", 410: "this item is no longer here.",
  };

  async function send(job) {
    pending++;
    sending.add(job);
    job.body.set("showing", job.showing || "");
    keepJobs();
    try {
      const answer = await obs.fetch(job.url, { method: "POST", body: job.body });
      if (!answer.ok) throw await refusal(answer);
      signedOut = ""; attempts = 0;
      obs.applyParts(await answer.text());
      outbox.keepDraft(job.item, null);
      obs.emit("saved");
    } catch (error) {
      job.status = error.status || 0;
      job.reason = error.reason || "";
      failed.push(job);
      if (!job.reason) retryLater();
    } finally {
      pending--;
      sending.delete(job);
      keepJobs();
      showFailed();
    }
    if (isWaiting && !job.showing) {
      isWaiting = false; isLocked = false;
      busy(false);
      if (!failed.includes(job)) { if (!swapNext(job.words + ".")) location.reload(); }
      else draft.resume();
    }
    showUndo();
    if (next().content.childElementCount === 0 && isItem()) prefetch();
  }

  async function refusal(answer) {
    const { status } = answer, isStale = answer.headers.has("X-Obs-Token");
    const text = await answer.text();
    if (status === 401) signedOut = answer.headers.has("X-Obs-Sign-In") ? text : "you are signed out.";
    const isFinal = status === 422 || status === 409;
    return { status, reason: isFinal ? text : (!isStale && REFUSALS[status]) || "" };
  }

  // ---- what could not be sent: kept in the tab, sent again by itself ---------------------------
  const keepJobs = () => outbox.keepJobs(bench.dataset.next, [...sending, ...failed]);
  const unsent = () => failed.filter((job) => !job.reason);
  let attempts = 0, retryTimer = 0, isRetrying = false;

  function retryLater() {
    clearTimeout(retryTimer);
    retryTimer = setTimeout(retry, Math.min(RETRY_MOST, RETRY * 2 ** attempts++));
  }

  async function retry() {
    clearTimeout(retryTimer);
    if (isRetrying || isLocked) { if (unsent().length) retryLater(); return; }
    isRetrying = true;
    for (const job of unsent()) { // in their order, and no further than the first that fails again
      failed.splice(failed.indexOf(job), 1);
      const isHere = !isItem() || item().dataset.openUrl === job.open;
      job.showing = isHere ? "" : item().dataset.item;
      if (isHere) { isLocked = isWaiting = true; busy(true); }
      await send(job);
      if (failed.includes(job)) break;
    }
    isRetrying = false;
  }

  function reconnect() {
    attempts = 0;
    if (unsent().length) retry();
    if (draft.isDirty) draft.save();
  }
  window.addEventListener("online", reconnect);
  window.addEventListener("focus", () => { if (signedOut) reconnect(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && signedOut) reconnect(); });
  document.addEventListener("obs:signed-in", reconnect);

  /* The item on the screen is edited again: what was on its way for it is not sent any more. */
  function withdraw() {
    const place = failed.findIndex((job) => isItem() && job.open === item().dataset.openUrl);
    if (place < 0) return;
    failed.splice(place, 1);
    keepJobs();
    showFailed();
  }

  function showUndo() {
    const button = $("[data-undo-last]");
    if (button) button.hidden = !$("#rail [data-undo]") && !pending;
  }

  let fetching = false;
  async function prefetch() {
    if (fetching || pending || !isItem()) return;
    fetching = true;
    const showing = item().dataset.item;
    try {
      const answer = await obs.fetch(bench.dataset.next + "?showing=" + showing);
      if (answer.ok) {
        const html = await answer.text();
        if (isItem() && item().dataset.item === showing && !pending && !nextItem()) obs.applyParts(html);
      }
    } catch { /* the submit itself asks again */ }
    fetching = false;
  }

  function showFailed() {
    const strip = document.getElementById("failed"), actions = strip.querySelector("[data-failed-actions]");
    strip.hidden = !failed.length && !signedOut;
    actions.replaceChildren();
    if (strip.hidden) { strip.querySelector("[data-failed-text]").textContent = ""; return; }
    const job = failed[0];
    const why = job && (job.reason || signedOut || (job.status ? "the server failed." : "no connection."));
    const words = job
      ? failed.length + (failed.length === 1 ? " review is" : " reviews are") + " not saved: " + why
      : signedOut[0].toUpperCase() + signedOut.slice(1) + " What you type is kept in this tab.";
    const text = strip.querySelector("[data-failed-text]");
    if (text.textContent !== words) obs.say(words, true);
    text.textContent = words;
    const add = (label, action, href) => {
      const made = document.createElement(href ? "a" : "button");
      made.className = "button is-small"; made.textContent = label;
      if (href) { made.href = href; if (action === "new") made.target = "_blank"; }
      else { made.type = "button"; made.addEventListener("click", action); }
      actions.append(made);
    };
    if (signedOut) add("Sign in", "new", bench.dataset.login);
    if (job && job.reason) {
      add("Open " + job.name, null, job.open);
      add("Dismiss", () => { failed.shift(); keepJobs(); showFailed(); });
    } else add("Retry", reconnect);
  }

  function body() {
    const data = new FormData(form());
    data.set("dwell_ms", String(Math.round(performance.now() - shownAt)));
    return draft.sign(data);
  }

  function submit() {
    if (!isItem() || isLocked) return;
    if (performance.now() - shownAt < DWELL) return; // nobody has read it yet
    const wrong = firstWrong();
    if (wrong) {
      const words = wrong.querySelector("[data-error]").textContent;
      if (wrong.hasAttribute("data-ask")) mark(wrong); else document.getElementById("correction").focus();
      obs.say(words, true);
      return;
    }
    flash("[data-submit]");
    const done = Number(($("#progress") || { dataset: {} }).dataset.done || 0) + 1 + pending;
    advance(form().action, body(), "Submitted " + done);
  }

  function skip(reason) {
    if (!isItem() || isLocked) return;
    const data = body();
    data.set("reason", reason);
    advance(item().dataset.skipUrl, data, "Skipped");
    offerUndo("Skipped.");
  }

  function requeue() {
    if (!isItem() || isLocked) return;
    flash("[data-requeue]");
    advance(item().dataset.requeueUrl, body(), "Put at the end");
    offerUndo("Put at the end of your order.");
  }

  /* Offer to undo what was done last. Once something else is done, the offer is withdrawn: its
     button would undo that instead. */
  let undoOffer = null;
  function withdrawUndo() { undoOffer?.remove(); undoOffer = null; }
  function offerUndo(words) {
    undoOffer = obs.toast(words, { action: "Undo", onAction: () => undo() });
  }

  /* Wait for what is under way: it can be taken back once it is stored. */
  async function stored() {
    for (let tries = 0; pending && tries < 200; tries++) await new Promise((done) => setTimeout(done, 50));
  }

  /* Undo the last submit, skip or requeue, whichever it was: the first of the rail. */
  async function undo(target) {
    if (isLocked) return;
    isLocked = true;
    withdrawUndo();
    await stored();
    const button = target && target.isConnected ? target : $("#rail [data-undo]");
    try {
      if (unsent().length) { obs.toast("The last one is not saved yet. Retry it first.", { isBad: true }); return; }
      if (!button) { obs.toast("Nothing to undo."); return; }
      await draft.flush();
      const answer = await obs.fetch(button.formAction, { method: "POST", body: new FormData(button.form) });
      if (answer.status === 409) { obs.toast(await answer.text(), { isBad: true }); return; }
      if (!answer.ok) throw await refusal(answer);
      if (answer.redirected) { location.href = answer.url; return; }
      const interrupted = isItem() ? item() : null;
      obs.applyParts(await answer.text());
      const back = nextItem();
      if (back) outbox.keepDraft(back.dataset.item, null); // the server has the answers
      swapNext("Undone.");
      setAddress(item().dataset.openUrl);
      // What was on the screen is still mine: it comes next again, as I left it.
      if (interrupted) next().content.replaceChildren(interrupted);
      obs.toast("Undone. The item is here again with your answers.", { ms: 4000 });
    } catch {
      if (signedOut) showFailed();
      obs.toast("It could not be undone. Try again.", { isBad: true });
    } finally { isLocked = false; }
  }

  function flash(selector) {
    const button = $(selector);
    if (!button) return;
    button.classList.add("is-flash");
    setTimeout(() => button.classList.remove("is-flash"), 160);
  }

  // ---- drafts ------------------------------------------------------------------------------
  const draft = {
    timer: 0, isDirty: false, running: null, isConflict: false, typedAt: 0,
    say(text) { document.getElementById("saved").textContent = text; },
    reset() { this.stop(); this.isDirty = false; this.isConflict = false; this.say(""); document.getElementById("conflict").hidden = true; },
    stop() { clearTimeout(this.timer); this.isStopped = true; },
    resume() { this.isStopped = false; this.later(SAVE_AFTER); },
    later(ms) { clearTimeout(this.timer); this.timer = setTimeout(() => this.save(), ms); },
    touch() {
      withdraw();
      this.isStopped = false; this.isDirty = true;
      this.typedAt = Math.max(this.typedAt + 1, Date.now());
      this.copy();
      this.later(SAVE_AFTER);
    },
    /* Say which tab sends, and when it was typed: the server knows the tab's own texts by it. */
    sign(data) {
      data.set("tab", outbox.tab);
      data.set("typed_at", String(this.typedAt || Date.now()));
      return data;
    },
    copy(savedAt = 0) {
      const data = new FormData(form());
      outbox.keepDraft(item().dataset.item, { at: this.typedAt, savedAt, version: data.get("draft_version"), fields: outbox.fieldsOf(data) });
    },
    /* The server has the text. A reload may be under way whose page was made before that, so the
       copy stays a little longer, marked as saved: `restore` tells by the version which is newer. */
    copySaved(of) {
      const savedAt = Date.now(), id = of.dataset.item;
      this.copy(savedAt);
      setTimeout(() => {
        const kept = outbox.draft(id);
        if (kept && kept.savedAt === savedAt) outbox.keepDraft(id, null);
      }, KEEP_SAVED);
    },
    /* Put back what was typed here and did not reach the server. */
    restore() {
      if (!isItem() || !form()) return;
      const job = failed.find((one) => one.open === item().dataset.openUrl);
      const kept = outbox.draft(item().dataset.item);
      if (job) { obs.fill(form(), [...job.body]); reveal(); return; }
      if (!kept) return;
      const isOnPage = Number(form().elements.draft_version.value) >= Number(kept.version);
      if (kept.savedAt && (isOnPage || Date.now() - kept.savedAt > KEEP_SAVED)) {
        outbox.keepDraft(item().dataset.item, null);
        return;
      }
      obs.fill(form(), kept.fields);
      form().elements.draft_version.value = kept.version;
      this.typedAt = kept.at; this.isDirty = true; this.isStopped = false;
      this.later(0);
      reveal();
    },
    async flush() { clearTimeout(this.timer); if (this.running) await this.running; if (this.isDirty) await this.save(); },
    async save() {
      clearTimeout(this.timer);
      if (!this.isDirty || !isItem() || this.isConflict || this.isStopped) return;
      if (this.running) { this.later(SAVE_AFTER); return; }
      this.isDirty = false;
      const of = item();
      this.say("Saving");
      this.running = obs.fetch(of.dataset.draftUrl, { method: "POST", body: this.sign(new FormData(form())) })
        .then((answer) => this.answered(of, answer))
        .catch(() => this.unsaved(of, "Offline, kept here"))
        .finally(() => { this.running = null; });
      await this.running;
    },
    answered(of, answer) {
      if (answer.status !== 401 && signedOut) { signedOut = ""; showFailed(); }
      if (item() !== of) return;
      const version = answer.headers.get("X-Draft-Version");
      if (answer.status === 204) {
        of.querySelector('[name="draft_version"]').value = version;
        if (this.isDirty) this.copy(); else this.copySaved(of);
        const now = new Date();
        this.say("Draft saved " + String(now.getHours()).padStart(2, "0") + ":" + String(now.getMinutes()).padStart(2, "0"));
      } else if (answer.status === 409) {
        this.isConflict = true; this.theirs = version;
        this.say("");
        document.getElementById("conflict").hidden = false;
        obs.say("This item was changed in another tab.", true);
      } else if (answer.status === 410) this.say("Already reviewed in another tab");
      else if (answer.status === 401) {
        this.isDirty = true;
        this.say("Signed out, kept here");
        refusal(answer).then(showFailed);
      } else this.unsaved(of, "Not saved, kept here");
    },
    unsaved(of, words) {
      this.isDirty = true;
      if (item() !== of) return;
      this.say(words);
      this.later(5000);
    },
  };
  bench.addEventListener("input", (event) => { if (event.target.closest("#review-form")) {
    const ask = event.target.closest("[data-ask]");
    if (ask) clearError(ask);
    draft.touch(); reveal(); beatSometimes();
  } });
  bench.addEventListener("change", (event) => {
    const cant = event.target.closest("[data-cant]"), ask = event.target.closest("[data-ask]");
    if (cant && cant.checked) ask.querySelectorAll('input[type="radio"]').forEach((radio) => { radio.checked = false; });
    if (ask && event.target.type === "radio") ask.querySelector("[data-cant]").checked = false;
    // A field that is left also says "change": what was wrong with it still is.
    if (ask && /^(radio|checkbox)$/.test(event.target.type)) clearError(ask);
    if (ask) reveal();
    if (event.target.closest("#review-form")) draft.touch();
  });
  bench.addEventListener("focusin", (event) => {
    const ask = event.target.closest("[data-ask]");
    if (ask) { for (const other of asks()) other.classList.toggle("is-active", other === ask); active = ask; }
  });

  // ---- the reservation's clock -------------------------------------------------------------
  const clock = {
    offset: 0, expires: 0, beaten: 0, warned: false, timer: 0,
    reset() {
      const of = item();
      this.warned = false;
      this.expires = of && of.dataset.expires ? Date.parse(of.dataset.expires) : 0;
      // The server's clock, as the page came: a waiting item was drawn earlier than it is shown.
      if (!this.isKnown && of && of.dataset.now) { this.offset = Date.parse(of.dataset.now) - Date.now(); this.isKnown = true; }
      this.draw();
    },
    left() { return this.expires - (Date.now() + this.offset); },
    draw() {
      const text = document.querySelector("[data-held-text]"), extend = document.querySelector("[data-extend]");
      const take = document.querySelector("[data-take]");
      if (!this.expires || !isItem()) { text.textContent = ""; extend.hidden = take.hidden = true; return; }
      const left = Math.round(this.left() / 1000);
      take.hidden = left > 0; take.href = item().dataset.openUrl;
      extend.hidden = left <= 0 || left > 120;
      if (left <= 0) {
        text.textContent = "Reservation ended. Your text is kept.";
        if (!this.warned2) { this.warned2 = true; obs.say(text.textContent, true); }
        return;
      }
      this.warned2 = false;
      text.textContent = left > 300 ? "Reserved for you" :
        "Reserved, " + Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0") + " left";
      if (left <= 60 && !this.warned) { this.warned = true; obs.say("Your reservation ends in a minute. Extend it to keep the item."); }
    },
    async beat() {
      if (!isItem() || !item().dataset.lease) return;
      this.beaten = Date.now();
      const of = item(), data = new FormData();
      data.set("lease", of.dataset.lease);
      try {
        const answer = await obs.fetch(of.dataset.heartbeatUrl, { method: "POST", body: data });
        if (item() !== of) return;
        if (answer.ok) {
          const told = await answer.json();
          if (told.expires_at) { this.expires = Date.parse(told.expires_at); this.offset = Date.parse(told.now) - Date.now(); of.dataset.expires = told.expires_at; this.warned = false; }
        } else if (answer.status === 409) { this.expires = Date.now() + this.offset - 1; }
        this.draw();
      } catch { /* offline: the clock runs on, the next activity tries again */ }
    },
  };
  setInterval(() => clock.draw(), 1000);
  function beatSometimes() { if (Date.now() - clock.beaten > BEAT) clock.beat(); }

  // ---- keys, buttons -----------------------------------------------------------------------
  const menu = () => $("[data-skip-menu]");
  const isPair = () => !!item() && item().hasAttribute("data-pair");
  const toText = (selector) => { const area = $(selector); if (!area) return false; area.focus(); };
  const keys = {
    "mod+enter": (event) => { if (!event.repeat) submit(); },
    "mod+s": () => { draft.flush().then(() => obs.say("Draft saved")); },
    z: () => undo(),
    s: () => { if (!menu()) return false; menu().open = true; const first = menu().querySelector("[data-skip]"); first.focus(); },
    S: () => requeue(),
    e: () => {
      const area = $("#correction");
      if (!area) return false;
      area.closest("[data-correction]").scrollIntoView({ block: "start" }); // with its diff below
      area.focus({ preventScroll: true });
    },
    n: () => toText("#note"),
    i: () => { const box = $("[data-instructions]"); if (!box) return false; box.open = !box.open; },
    w: () => { const why = $("[data-why]"); if (!why) return false; why.open = !why.open; },
    c: () => {
      const box = current() && current().querySelector("[data-comment]");
      if (!box) return false;
      box.open = true; box.querySelector("textarea").focus();
    },
    x: () => { const cant = current() && current().querySelector("[data-cant]"); if (!cant) return false; cant.click(); },
    a: () => (isPair() ? choose(1) : false),
    b: () => (isPair() ? choose(2) : false),
    t: () => {
      if (isPair()) return choose(3);
      const on = $('#ctx [data-tab="trace"]');
      if (!on) return false;
      (on.hasAttribute("aria-current") ? $('#ctx [data-tab="conversation"]') : on).click();
    },
    ".": () => {
      const context = $("[data-context]");
      if (!context) return false;
      if (context.contains(document.activeElement)) mark(current()); else context.focus();
    },
    "[": () => walk(1), "]": () => walk(-1),
    ArrowDown: Object.assign((event) => rows(event, 1), { mayRepeat: true }),
    ArrowUp: Object.assign((event) => rows(event, -1), { mayRepeat: true }),
    Enter: (event) => {
      if (event.target.closest("a, button, summary, textarea, select")) return false;
      const ask = event.target.closest("[data-ask]");
      if (!ask) return false;
      const field = ask.querySelector("textarea");
      if (field && ask.dataset.kind === "freeform") field.focus();
    },
    Escape: (event) => {
      if (!event.target.closest("#review-form") || !obs.isTyping(event.target)) return false;
      const ask = event.target.closest("[data-ask]");
      if (ask) { active = ask; ask.focus({ preventScroll: true }); } else event.target.blur();
    },
  };
  function rows(event, by) {
    if (event.target.closest("[data-tree]") || (event.target.closest("[data-context]") && event.target.closest(".diff, pre"))) return false;
    if (event.target.matches("[data-context]")) return false; // scrolls
    step(by);
  }
  function walk(by) {
    const links = [...bench.querySelectorAll("#rail li > a")];
    if (!links.length) return false;
    const place = links.indexOf(document.activeElement);
    const to = links[place < 0 ? 0 : place + by];
    if (to) to.focus();
  }
  for (let number = 0; number <= 9; number++) {
    keys[String(number)] = () => {
      if (menu() && menu().open) {
        const reason = menu().querySelectorAll("[data-skip]")[number - 1];
        if (!reason) return false;
        menu().open = false;
        return skip(reason.dataset.skip);
      }
      return choose(number);
    };
  }
  obs.keys.push(keys);

  bench.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey) return;
    if (event.target.matches('#review-form input[type="number"]')) { event.preventDefault(); step(1); }
  });

  // Enter in a number or Ctrl+Enter anywhere must never submit natively.
  bench.addEventListener("submit", (event) => {
    if (event.submitter && event.submitter.matches("[data-undo-last]")) { event.preventDefault(); undo(); return; }
    if (event.submitter && event.submitter.matches("[data-undo]")) { event.preventDefault(); undo(event.submitter); return; }
    const by = event.submitter;
    if (event.target.id === "skip-form") { event.preventDefault(); menu().open = false; skip(by.dataset.skip); return; }
    if (event.target.id !== "review-form") return;
    event.preventDefault();
    if (!by || by.hasAttribute("data-compare")) return;
    if (by.hasAttribute("data-requeue")) requeue();
    else submit();
  });
  bench.addEventListener("click", (event) => {
    if (event.target.closest("[data-extend]")) clock.beat();
    if (event.target.closest("[data-keep-mine]")) {
      item().querySelector('[name="draft_version"]').value = draft.theirs;
      draft.isConflict = false; draft.isDirty = true; draft.isStopped = false;
      document.getElementById("conflict").hidden = true;
      draft.save();
    }
    if (event.target.closest("[data-load-theirs]")) { draft.isDirty = false; outbox.keepDraft(item().dataset.item, null); location.href = item().dataset.openUrl; }
    if (event.target.closest("a[href]") && !event.target.closest("#ctx, [target]")) isLeaving = true;
  });
  document.querySelector(".nav").addEventListener("click", (event) => { if (event.target.closest("a[href]")) isLeaving = true; });

  // ---- leaving -----------------------------------------------------------------------------
  let isLeaving = false;
  window.addEventListener("beforeunload", (event) => {
    if (pending || failed.length) event.preventDefault();
  });
  window.addEventListener("pagehide", () => {
    const give = (of) => {
      if (!of || !of.dataset.lease) return;
      const data = new FormData();
      data.set("csrfmiddlewaretoken", obs.csrf());
      data.set("lease", of.dataset.lease);
      navigator.sendBeacon(of.dataset.releaseUrl, data);
    };
    if (draft.isDirty && isItem() && !draft.isConflict) {
      const data = draft.sign(new FormData(form()));
      data.set("csrfmiddlewaretoken", obs.csrf());
      navigator.sendBeacon(item().dataset.draftUrl, data);
    }
    give(nextItem());
    if (isLeaving) give(item()); // a reload comes back to the same item
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // ---- begin -------------------------------------------------------------------------------
  const errors = document.getElementById("form-errors");
  failed.push(...outbox.jobs(bench.dataset.next)); // on their way when the page was left
  arrived("");
  if (errors) errors.focus();
  if (isItem()) setTimeout(prefetch, 60);
  if (failed.length) retry();
})();
