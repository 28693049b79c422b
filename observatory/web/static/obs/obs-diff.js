/* Live diff of the correction: a Worker, 150 ms after the last key, 300 ms at most; then by
   lines; then not at all, and the server may be asked. */
(function () {
  "use strict";
  const obs = window.obs;
  const WAIT = 150, MOST = 300, FOLD = 240;
  let worker = null, count = 0, timer = 0, running = 0, asked = null;

  const bench = () => document.getElementById("bench");
  const words = (text) => (text.match(/[\p{L}\p{N}_]+/gu) || []).length;

  function start() {
    worker = new Worker(bench().dataset.worker);
    worker.postMessage({ library: bench().dataset.diff });
    worker.onmessage = (event) => {
      const { id, began, parts, unit } = event.data;
      if (id !== count) return;
      clearTimeout(running);
      if (began) running = setTimeout(giveUp, MOST);
      else draw(parts, unit);
    };
  }

  const box = () => document.querySelector("#item [data-correction]");
  // It is sent apart only if the editor came with another text: that of a draft.
  obs.original = () => {
    const area = box() && (box().querySelector("[data-original]") || document.getElementById("correction"));
    return !area ? "" : area.id ? area.defaultValue : area.value;
  };
  obs.isCorrected = () => {
    const text = document.getElementById("correction");
    return !!text && text.value.trimEnd() !== obs.original().trimEnd();
  };

  function note(text) {
    const figures = box().querySelector("[data-diff-figures]");
    if (figures) figures.textContent = text;
  }

  obs.compare = function () {
    const area = document.getElementById("correction");
    if (!area || !bench()) return;
    const isChanged = obs.isCorrected();
    box().querySelector("[data-changed]").textContent = isChanged ? "changed" : "no change";
    box().querySelector("[data-changed]").className = "chip" + (isChanged ? " is-accent" : "");
    box().querySelector("[data-revert]").hidden = !isChanged;
    if (!isChanged) { document.getElementById("diff").replaceChildren(); note(""); count++; return; }
    ask(area.value, "word");
  };

  function ask(text, unit) {
    if (!worker) start();
    const id = ++count;
    clearTimeout(running);
    asked = { text, unit };
    worker.postMessage({ id, before: obs.original(), after: text, unit });
  }

  function giveUp() {
    worker.terminate(); worker = null;
    if (asked.unit === "word") { ask(asked.text, "line"); return; }
    document.getElementById("diff").replaceChildren();
    note("Too large to compare while you type. Use Compare.");
  }

  /* Long unchanged stretches are folded to their ends. */
  obs.foldDiff = (text, isFirst, isLast) => {
    if (text.length <= FOLD) return text;
    const head = isFirst ? "" : text.slice(0, FOLD / 2), tail = isLast ? "" : text.slice(-FOLD / 2);
    return head + " \u2026 " + tail;
  };

  function draw(parts, unit) {
    const out = document.createElement("div");
    out.className = "diff"; out.dir = "auto"; out.tabIndex = 0;
    out.setAttribute("role", "group"); out.setAttribute("aria-label", "Difference");
    let came = 0, went = 0, same = 0;
    parts.forEach((part, place) => {
      const n = words(part.text);
      if (part.kind === "equal") {
        same += n;
        out.append(obs.foldDiff(part.text, place === 0, place === parts.length - 1));
        return;
      }
      if (part.kind === "insert") came += n; else went += n;
      const mark = document.createElement(part.kind === "insert" ? "ins" : "del");
      const spoken = document.createElement("span");
      spoken.className = "sr";
      spoken.textContent = part.kind === "insert" ? "inserted: " : "deleted: ";
      mark.append(spoken, part.text);
      out.append(mark);
    });
    document.getElementById("diff").replaceChildren(out);
    const alike = same + came + went ? Math.round((200 * same) / (2 * same + came + went)) : 100;
    note(`+${came} -${went} words, ${alike} % alike${unit === "line" ? ", by lines" : ""}`);
  }

  document.addEventListener("input", (event) => {
    if (event.target.id !== "correction") return;
    if (!worker) start(); // the library loads while one types on
    clearTimeout(timer);
    timer = setTimeout(obs.compare, WAIT);
  });

  document.addEventListener("click", (event) => {
    const area = document.getElementById("correction");
    if (!area) return;
    if (event.target.closest("[data-revert]")) {
      area.value = obs.original();
      area.dispatchEvent(new Event("input", { bubbles: true }));
      obs.compare(); area.focus(); obs.say("Correction reverted");
    }
    if (event.target.closest("[data-format]")) {
      try {
        area.value = JSON.stringify(JSON.parse(area.value), null, 2);
        area.dispatchEvent(new Event("input", { bubbles: true }));
      } catch (error) { obs.say("Not JSON: " + error.message, true); obs.toast("Not JSON: " + error.message, { isBad: true }); }
    }
    const compare = event.target.closest("[data-compare]");
    if (compare) {
      event.preventDefault();
      const form = document.getElementById("review-form");
      obs.fetch(compare.formAction, { method: "POST", body: new FormData(form) })
        .then((answer) => (answer.ok ? answer.text() : Promise.reject(new Error(String(answer.status)))))
        .then((html) => { document.getElementById("diff").innerHTML = html; })
        .catch(() => obs.toast("The server could not compare.", { isBad: true }));
    }
  });

  document.addEventListener("obs:item", obs.compare);
})();
