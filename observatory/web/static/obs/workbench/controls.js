/* The fields and buttons of the workbench, used with the pointer or by Enter. */
import { radiosOf } from "./conditions.js";
import { requeue, skip, submit } from "./actions.js";
import * as draft from "./draft.js";
import { find, root } from "./page.js";
import { reveal } from "./questions.js";
import { beatIfDue } from "./reservation.js";
import { undo } from "./undo.js";
import { clearError } from "./validation.js";

root.addEventListener("input", (event) => {
  if (!event.target.closest("#review-form")) return;
  const question = event.target.closest("[data-ask]");
  if (question) clearError(question);
  draft.touch();
  reveal();
  beatIfDue();
});

root.addEventListener("change", (event) => {
  const { target } = event, question = target.closest("[data-ask]");
  if (target.closest("[data-cant]")?.checked) {
    radiosOf(question).forEach((radio) => { radio.checked = false; });
  }
  if (question && target.type === "radio") question.querySelector("[data-cant]").checked = false;
  // Leaving a text field is a change, too; what was wrong with the text still is.
  if (question && /^(radio|checkbox)$/.test(target.type)) clearError(question);
  if (question) reveal();
  if (target.closest("#review-form")) draft.touch();
});

// Nothing here may be submitted natively: the page would be left.
root.addEventListener("submit", (event) => {
  const { submitter, target } = event;
  if (submitter?.matches("[data-undo-last], [data-undo]")) {
    event.preventDefault();
    undo(submitter.matches("[data-undo-last]") ? undefined : submitter);
  } else if (target.id === "skip-form") {
    event.preventDefault();
    find("[data-skip-menu]").open = false;
    skip(submitter.dataset.skip);
  } else if (target.id === "review-form") {
    event.preventDefault();
    if (!submitter || submitter.hasAttribute("data-compare")) return;
    if (submitter.hasAttribute("data-requeue")) requeue();
    else submit();
  }
});

root.addEventListener("click", (event) => {
  if (event.target.closest("[data-keep-mine]")) draft.keepMine();
  if (event.target.closest("[data-load-theirs]")) draft.loadTheirs();
});
