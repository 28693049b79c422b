/* The corrected answer in its editor. */
import { emit, say, toast } from "../core/announce.js";
import { request } from "../core/server.js";
import { byId, form } from "./page.js";

export const correctionBox = () => document.querySelector("#item [data-correction]");

/* Return the answer as the run gave it. The page has it apart from the editor only if the editor
   came with another text: that of a draft. */
export function originalText() {
  const box = correctionBox();
  const area = box && (box.querySelector("[data-original]") || byId("correction"));
  if (!area) return "";
  return area.id ? area.defaultValue : area.value;
}

export function isCorrected() {
  const area = byId("correction");
  return !!area && area.value.trimEnd() !== originalText().trimEnd();
}

function replaceText(area, text) {
  area.value = text;
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

function revert(area) {
  replaceText(area, originalText());
  emit("reverted");
  area.focus();
  say("Correction reverted");
}

function format(area) {
  try {
    replaceText(area, JSON.stringify(JSON.parse(area.value), null, 2));
  } catch (error) {
    say("Not JSON: " + error.message, true);
    toast("Not JSON: " + error.message, { isBad: true });
  }
}

/* Let the server draw the difference: for texts that are too large to compare here. */
async function compareOnServer(url) {
  try {
    const answer = await request(url, { method: "POST", body: new FormData(form()) });
    if (!answer.ok) throw new Error(String(answer.status));
    byId("diff").innerHTML = await answer.text();
  } catch {
    toast("The server could not compare.", { isBad: true });
  }
}

document.addEventListener("click", (event) => {
  const area = byId("correction");
  if (!area) return;
  if (event.target.closest("[data-revert]")) revert(area);
  if (event.target.closest("[data-format]")) format(area);
  const compare = event.target.closest("[data-compare]");
  if (compare) {
    event.preventDefault();
    compareOnServer(compare.formAction);
  }
});
