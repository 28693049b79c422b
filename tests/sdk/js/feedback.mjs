// createFeedback in all its forms, and reading, changing, listing and deleting what it made:
// the examples of the first seed, on a run that was just traced and has not been flushed.
import { all, client, print, refusal, traced } from "./observed.mjs";

const runId = await traced("answer", { question: "why?" }, { answer: "because" });
const judgeRunId = await traced("judge", { answer: "because" }, { score: 0.88 });

const made = {};
// Thumbs up/down
made.user_rating = await client.createFeedback(runId, "user_rating", {
  score: 1,
  comment: "Great response!",
});
// Numeric score
made.accuracy = await client.createFeedback(runId, "accuracy", {
  score: 0.95,
  comment: "Highly accurate",
});
// With correction
made.correctness = await client.createFeedback(runId, "correctness", {
  score: 0,
  correction: { outputs: { answer: "Correct answer" } },
});
// Model feedback
made.coherence = await client.createFeedback(runId, "coherence", {
  score: 0.88,
  feedbackSourceType: "model",
  sourceRunId: judgeRunId,
  sourceInfo: { model: "gpt-4", model_version: "2024-01-01" },
});
// Categorical value
made.category = await client.createFeedback(runId, "category", {
  value: "factual_question",
  score: 1,
});
// Feedback with custom configuration
made.safety = await client.createFeedback(runId, "safety", {
  score: 1,
  feedbackConfig: { type: "continuous", min: 0, max: 1 },
  sourceInfo: { reviewer: "safety_team", review_date: "2024-01-15" },
});
// Categorical feedback, declared by words
made.response_type = await client.createFeedback(runId, "response_type", {
  value: "factual",
  feedbackConfig: {
    type: "categorical",
    categories: [
      { value: "factual", label: "Factual Answer" },
      { value: "opinion", label: "Opinion-Based" },
      { value: "clarification", label: "Needs Clarification" },
    ],
  },
});
// Star rating (1-5 scale)
made.stars = await client.createFeedback(runId, "stars", {
  score: 4,
  feedbackConfig: { type: "continuous", min: 1, max: 5 },
});
// A boolean score, an object value, a person of the app, an id of the caller's
made.thumb = await client.createFeedback(runId, "thumb", {
  score: true,
  value: { subscores: { grammar: 0.95, relevance: 0.9 } },
  feedbackSourceType: "app",
  feedbackId: "0198c0de-0000-7000-8000-000000000001",
  traceId: runId,
  startTime: Date.now(),
});

await client.awaitPendingTraceBatches();
const read = {};
for (const [key, feedback] of Object.entries(made)) read[key] = await client.readFeedback(feedback.id);

// Of a project as a whole, and of a comparison: neither is feedback of the run itself
const project = await client.readProject({ projectName: process.env.LANGSMITH_PROJECT });
const overall = await client.createFeedback(null, "overall", { projectId: project.id, score: 0.5 });
const preferred = await client.createFeedback(runId, "preferred", {
  score: 1,
  sessionId: project.id,
  comparativeExperimentId: "0198c0de-0000-7000-8000-0000000000c0",
  extendTraceRetention: false,
});
await client.updateFeedback(made.thumb.id, {
  score: false,
  value: "down",
  correction: { answer: "no" },
  comment: "changed",
});
const stats = await client.readProject({ projectName: project.name, includeStats: true });

await client.updateFeedback(made.accuracy.id, { score: 0.98, comment: "Updated after review" });
const updated = await client.readFeedback(made.accuracy.id);
await client.deleteFeedback(made.stars.id);

print({
  runId,
  judgeRunId,
  ids: Object.fromEntries(Object.entries(made).map(([key, feedback]) => [key, feedback.id])),
  read,
  updated,
  project: stats,
  overall: await client.readFeedback(overall.id),
  preferred: await client.readFeedback(preferred.id),
  turned: await client.readFeedback(made.thumb.id),
  judged: (await client.readRun(runId)).feedback_stats,
  goneRead: await refusal(() => client.readFeedback(made.stars.id)),
  goneDelete: await refusal(() => client.deleteFeedback(made.stars.id)),
  tooLong: await refusal(() => client.createFeedback(runId, "k".repeat(181), { score: 1 })),
  unknownRun: await refusal(() =>
    client.createFeedback("0198c0de-0000-7000-8000-00000000dead", "early", { score: 1 }),
  ),
  ofKeys: await all(
    client.listFeedback({ runIds: [runId], feedbackKeys: ["accuracy", "correctness"] }),
  ),
  ofPeople: await all(client.listFeedback({ runIds: [runId], feedbackSourceTypes: ["app"] })),
  ofModels: await all(client.listFeedback({ runIds: [runId], feedbackSourceTypes: ["model"] })),
  ofRun: await all(client.listFeedback({ runIds: [runId, judgeRunId] })),
});
