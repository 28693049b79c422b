// evaluate as the JavaScript SDK runs it: feedback by POST, before the runs have arrived.
import { evaluate } from "langsmith/evaluation";
import { all, client, print } from "./observed.mjs";

const name = `golden-${process.env.LANGSMITH_PROJECT}`;
const dataset = await client.createDataset(name);
await client.createExamples(
  [0, 1, 2, 3].map((n) => ({ inputs: { n }, outputs: { square: n * n }, dataset_id: dataset.id })),
);
const results = await evaluate(
  ({ n }) => ({ square: n === 3 ? 10 : n * n }),
  {
    data: name,
    client,
    experimentPrefix: "almost",
    metadata: { model: "m1" },
    evaluators: [
      ({ outputs, referenceOutputs }) => ({
        key: "exact",
        score: outputs.square === referenceOutputs.square,
      }),
    ],
    summaryEvaluators: [({ runs }) => ({ key: "n_runs", score: runs.length })],
  },
);
await client.awaitPendingTraceBatches();
print({
  experiment: results.experimentName,
  n: results.results.length,
  project: await client.readProject({ projectName: results.experimentName, includeStats: true }),
  runs: await all(client.listRuns({ projectName: results.experimentName, isRoot: true })),
});
