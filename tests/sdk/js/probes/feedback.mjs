import assert from "node:assert/strict";
import { all, works } from "./declared.mjs";

const GRADES = {
  type: "categorical",
  categories: [
    { value: 0, label: "wrong" },
    { value: 1, label: "right" },
  ],
};

works(
  ["createFeedback", "readFeedback", "updateFeedback", "listFeedback", "deleteFeedback"],
  async (w) => {
    const run = await w.run();
    const made = await w.client.createFeedback(run.id, "helpful", { score: 0.5, comment: "so so" });
    await w.client.updateFeedback(made.id, { score: 1 });
    const read = await w.client.readFeedback(made.id);
    assert.deepEqual([read.run_id, read.score, read.comment], [run.id, 1, "so so"]);
    const [listed] = await all(w.client.listFeedback({ runIds: [run.id] }));
    assert.equal(listed.id, made.id);
    await w.client.deleteFeedback(made.id);
    assert.deepEqual(await all(w.client.listFeedback({ runIds: [run.id] })), []);
    const whole = await w.client.createFeedback({ runId: run.id, key: "whole", score: 0.25 });
    assert.equal((await w.client.readFeedback(whole.id)).score, 0.25);
  },
);

works(["createPresignedFeedbackToken", "listPresignedFeedbackTokens"], async (w) => {
  const run = await w.run();
  const token = await w.client.createPresignedFeedbackToken(run.id, "thumb");
  const [listed] = await all(w.client.listPresignedFeedbackTokens(run.id));
  assert.equal(listed.id, token.id);
  assert.ok((await fetch(token.url, { method: "POST", body: '{"score": 1}' })).ok);
  const [given] = await all(w.plain.listFeedback({ runIds: [run.id] }));
  assert.deepEqual([given.key, given.score], ["thumb", 1]);
});

works(["logEvaluationFeedback"], async (w) => {
  const run = await w.run();
  await w.client.logEvaluationFeedback({ key: "judged", score: 1 }, run);
  const [given] = await all(w.plain.listFeedback({ runIds: [run.id] }));
  assert.deepEqual([given.key, given.score], ["judged", 1]);
});

works(
  ["createFeedbackConfig", "updateFeedbackConfig", "listFeedbackConfigs", "deleteFeedbackConfig"],
  async (w) => {
    const feedbackKey = w.name("stars");
    const feedbackConfig = { type: "continuous", min: 1, max: 5 };
    await w.client.createFeedbackConfig({ feedbackKey, feedbackConfig });
    await w.client.updateFeedbackConfig(feedbackKey, { isLowerScoreBetter: true });
    const [listed] = await all(w.client.listFeedbackConfigs({ feedbackKeys: [feedbackKey] }));
    assert.equal(listed.is_lower_score_better, true);
    await w.client.deleteFeedbackConfig(feedbackKey);
    const left = await all(w.client.listFeedbackConfigs({ feedbackKeys: [feedbackKey] }));
    assert.deepEqual(left, []);
  },
);

works(["addFeedbackCategories", "removeFeedbackCategories"], async (w) => {
  const feedbackKey = w.name("grade");
  await w.plain.createFeedbackConfig({ feedbackKey, feedbackConfig: GRADES });
  const more = await w.client.addFeedbackCategories(feedbackKey, [{ value: 2, label: "half" }]);
  const less = await w.client.removeFeedbackCategories(feedbackKey, [0]);
  const values = [more, less].map((scale) =>
    scale.feedback_config.categories.map((category) => category.value),
  );
  assert.deepEqual(values, [[0, 1, 2], [1, 2]]);
});
