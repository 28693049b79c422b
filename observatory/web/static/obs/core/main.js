/* What every page runs. */
import "./controls.js";
import "./forms.js";
import "./keys.js";
import "./parts.js";
import { toast } from "./announce.js";
import { queuesWithJobs } from "./outbox.js";
import { user } from "./server.js";

/* Say that reviews of a queue were not stored when its workbench was left. */
function remind(next, nJobs) {
  const page = next.replace(/next$/, "");
  const words = nJobs === 1 ? "1 review is not saved yet." : nJobs + " reviews are not saved yet.";
  const onAction = () => { location.href = page; };
  setTimeout(() => toast(words, { isBad: true, ms: 0, action: "Save now", onAction }), 0);
}

if (user() && !document.getElementById("workbench")) {
  for (const [next, nJobs] of queuesWithJobs()) remind(next, nJobs);
}

document.querySelector("[data-focus]")?.focus();
