/* Answers, and the conditions of questions on them. The server decides again, by the same rules:
   annotations/queues/question_conditions.py. */
import { item } from "./page.js";

const chosenRadio = (question) => question.querySelector('input[type="radio"]:checked');

export const radiosOf = (question) => [...question.querySelectorAll('input[type="radio"]')];
export const cannotJudge = (question) => !!question.querySelector("[data-cant]:checked");

export function isAnswered(question) {
  if (cannotJudge(question)) return true;
  if (radiosOf(question).length) return !!chosenRadio(question);
  const field = question.querySelector('input[type="number"], textarea');
  return !!field && field.value.trim() !== "";
}

/* Return {score, isEmpty}; a question that is hidden or cannot be judged is empty. */
export function answerTo(question) {
  if (!question || question.hidden || !isAnswered(question) || cannotJudge(question)) {
    return { score: null, isEmpty: true };
  }
  const field = chosenRadio(question) || question.querySelector('input[type="number"]');
  return { score: field ? Number(field.value) : null, isEmpty: false };
}

const questionOf = (key) =>
  item().querySelector('[data-ask][data-key="' + CSS.escape(key) + '"]');

function ruleHolds(rule) {
  const answer = answerTo(questionOf(rule.key));
  if (rule.op === "is_empty") return answer.isEmpty;
  if (rule.op === "is_not_empty") return !answer.isEmpty;
  return answer.score !== null && rule.values.includes(answer.score);
}

function holds(text) {
  const { join, rules } = JSON.parse(text);
  return join === "all" ? rules.every(ruleHolds) : rules.some(ruleHolds);
}

export const isRequired = (question) =>
  question.hasAttribute("data-required") ||
  (!!question.dataset.requiredIf && holds(question.dataset.requiredIf));

/* Show the questions whose conditions hold, and mark those that are required now. A chain of
   conditions settles in at most as many rounds as it has questions. */
export function applyConditions() {
  if (!item()) return;
  const dependents = [...item().querySelectorAll("[data-visible-if]")];
  for (let round = 0; round <= dependents.length; round++) {
    let isSettled = true;
    for (const question of dependents) {
      const isHidden = !holds(question.dataset.visibleIf);
      if (isHidden === question.hidden) continue;
      question.hidden = isHidden;
      isSettled = false;
    }
    if (isSettled) break;
  }
  for (const question of item().querySelectorAll("[data-required-if]")) {
    const isOptional = !holds(question.dataset.requiredIf);
    question.querySelector("[data-req]")?.toggleAttribute("hidden", isOptional);
  }
}
