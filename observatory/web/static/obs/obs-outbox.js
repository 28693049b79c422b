/* What was typed and is not stored yet, kept in the tab for the person who typed it: drafts by item,
   and reviews on their way by queue. It outlives a reload and the end of the session, not the tab. */
(function () {
  "use strict";
  const obs = window.obs;
  const name = (kind, id) => ["obs:work", obs.user(), kind, id].join(":");

  function read(key) {
    try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; }
  }
  function write(key, value) {
    try {
      if (value === null) sessionStorage.removeItem(key);
      else sessionStorage.setItem(key, JSON.stringify(value));
    } catch { /* full or refused: the page itself holds it still */ }
  }

  // Handed over at a reload only: a tab that is duplicated meanwhile is another writer.
  const tab = read("obs:tab") || [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");
  write("obs:tab", null);
  window.addEventListener("pagehide", () => write("obs:tab", tab));

  const fieldsOf = (data) => [...data].filter(([field]) => field !== "csrfmiddlewaretoken");
  function bodyOf(fields) {
    const data = new FormData();
    for (const [field, value] of fields) data.append(field, value);
    return data;
  }

  obs.outbox = {
    tab,
    fieldsOf,
    draft: (item) => read(name("draft", item)),
    keepDraft: (item, draft) => write(name("draft", item), draft),
    /* Return the jobs of a queue that had no answer when the page was left. */
    jobs: (queue) => (read(name("jobs", queue)) || []).map((job) => Object.assign(job, { body: bodyOf(job.fields) })),
    keepJobs(queue, jobs) {
      const kept = jobs.map(({ url, body, words, open, name, item }) => ({ url, words, open, name, item, fields: fieldsOf(body) }));
      write(name("jobs", queue), kept.length ? kept : null);
    },
  };
})();
