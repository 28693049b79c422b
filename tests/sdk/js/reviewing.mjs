// Finding runs, judging them, and what is made of the judgements: the rest of the first seed.
import { all, client, print, refusal, traced } from "./observed.mjs";

const projectName = process.env.LANGSMITH_PROJECT;
const flagged = [];
for (const question of ["one", "two"]) {
  flagged.push(
    await traced("chat", { question }, { answer: `about ${question}` }, { tags: ["needs_review"] }),
  );
}
const plain = await traced("chat", { question: "three" }, { answer: "fine" }, { tags: ["ok"] });
await client.awaitPendingTraceBatches();

// Retrieve runs for annotation, and save what a person says of them
const annotated = [];
for await (const run of client.listRuns({
  projectName,
  filter: 'has(tags, "needs_review")',
  limit: 10,
})) {
  annotated.push({ id: run.id, inputs: run.inputs, outputs: run.outputs, tags: run.tags });
  await client.createFeedback(run.id, "human_rating", {
    score: 0.5,
    comment: "seen",
    feedbackSourceType: "app",
  });
}

// An evaluator's results, logged on a run
const run = await client.readRun(flagged[0]);
const results = await client.logEvaluationFeedback(
  {
    results: [
      {
        key: "coherence",
        score: 0.92,
        value: { subscores: { grammar: 0.95, relevance: 0.9, completeness: 0.91 } },
        comment: "High coherence with minor relevance issues",
        evaluatorInfo: { evaluator: "gpt-4", temperature: 0.1 },
      },
      { key: "correctness", score: 0, correction: { answer: "something else" }, sourceRunId: plain },
    ],
  },
  run,
  { version: "2024-01" },
);
await client.flush(); // the newest SDK sends feedback in the background
const flatForm = await refusal(() =>
  client.logEvaluationFeedback({ runId: run.id, key: "quality", score: 0.85 }),
);

// Corrections for fine-tuning
const corrections = [];
for await (const feedback of client.listFeedback({
  runIds: flagged,
  feedbackKeys: ["correctness"],
})) {
  if (feedback.score === 0 && feedback.correction) {
    const judged = await client.readRun(feedback.run_id);
    corrections.push({
      input: judged.inputs,
      incorrect: judged.outputs,
      correct: feedback.correction,
    });
  }
}

const low = await all(
  client.listRuns({
    projectName,
    filter: 'and(eq(feedback_key, "human_rating"), lt(feedback_score, 0.6))',
  }),
);
print({
  flagged,
  plain,
  annotated,
  run,
  results,
  flatForm,
  corrections,
  low: low.map(({ id, feedback_stats }) => ({ id, feedback_stats })),
  unknown: await refusal(() => client.readRun("0198c0de-0000-7000-8000-00000000dead")),
  feedback: await all(client.listFeedback({ runIds: flagged })),
});
