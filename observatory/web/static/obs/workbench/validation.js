/* What is wrong with the answers before they are sent; the server checks again. */
import { cannotJudge, isAnswered, isRequired } from "./conditions.js";
import { correctionBox, isCorrected } from "./correction.js";
import { byId } from "./page.js";
import { questions } from "./questions.js";

export function clearError(question) {
  const error = question.querySelector("[data-error]");
  if (!error) return;
  error.hidden = true;
  error.textContent = "";
}

function showError(question, words) {
  const error = question.querySelector("[data-error]");
  if (!error) return;
  error.textContent = words;
  error.hidden = false;
}

function mismatch(question) {
  const text = question.querySelector("textarea")?.value.trim(), { pattern } = question.dataset;
  if (!pattern || !text) return "";
  try {
    return new RegExp(pattern, "u").test(text) ? "" : "The answer must match " + pattern;
  } catch {
    return ""; // a pattern in the server's dialect: the server checks it
  }
}

function errorOf(question) {
  const number = question.querySelector('input[type="number"]');
  if (number && !number.validity.valid) return number.validationMessage;
  if (isRequired(question) && !isAnswered(question)) return "An answer is needed.";
  return cannotJudge(question) ? "" : mismatch(question);
}

function errorOfCorrection(box) {
  if (box.dataset.shape !== "json" || !isCorrected()) return "";
  try {
    JSON.parse(byId("correction").value);
    return "";
  } catch (error) {
    return "Not JSON: " + error.message;
  }
}

/* Show each error; return the first question (or the correction) that has one, or null. */
export function firstInvalid() {
  const checks = questions().map((question) => [question, errorOf(question)]);
  const box = correctionBox();
  if (box) checks.push([box, errorOfCorrection(box)]);
  let first = null;
  for (const [question, words] of checks) {
    clearError(question);
    if (!words) continue;
    showError(question, words);
    first = first || question;
  }
  return first;
}
