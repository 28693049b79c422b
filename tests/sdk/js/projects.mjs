// Projects, comparisons and results as the JavaScript SDK asks for them.
import { evaluate, evaluateComparative } from "langsmith/evaluation";
import { all, Client, client, print, refusal } from "./observed.mjs";

const mark = process.env.LANGSMITH_PROJECT;
const dataset = await client.createDataset(`compared-${mark}`);
await client.createExamples(
  [1, 2].map((n) => ({ inputs: { n }, outputs: { square: n * n }, dataset_id: dataset.id })),
);
const exact = ({ outputs, referenceOutputs }) => ({
  key: "exact",
  score: outputs?.square === referenceOutputs?.square ? 1 : 0,
});
const broken = () => {
  throw new Error("the judge is away");
};
const targets = [
  ({ n }) => ({ square: n * n }),
  ({ n }) => ({ square: n * n + 1 }),
  ({ n }) => {
    if (n === 2) throw new Error("two is too much");
    return { square: n };
  },
];
const names = [];
for (const target of targets) {
  const results = await evaluate(target, {
    data: dataset.name,
    client,
    experimentPrefix: `try-${mark}`,
    evaluators: [exact, broken],
    numRepetitions: 2,
    maxConcurrency: 2,
    description: "d",
  });
  names.push(results.experimentName);
}
await client.awaitPendingTraceBatches();
const projects = await Promise.all(
  names.map((projectName) => client.readProject({ projectName, includeStats: true })),
);
const compared = await evaluateComparative(names, {
  client,
  experimentPrefix: "three",
  description: "which",
  metadata: { judge: "equality" },
  randomizeOrder: true,
  maxConcurrency: 2,
  evaluators: [
    ({ runs, example }) => ({
      key: "preferred",
      scores: Object.fromEntries(
        runs.map((run) => [run.id, run.outputs?.square === example.outputs.square ? 1 : 0]),
      ),
    }),
  ],
});
await client.awaitPendingTraceBatches();
// /info announces version 2, which the SDK then reads the experiments by, children too
const asked = [];
const watched = new Client({
  fetchImplementation: (url, options) => {
    asked.push(`${options?.method ?? "GET"} ${new URL(url.url ?? url).pathname}`);
    return fetch(url, options);
  },
});
const nested = await evaluateComparative(names.slice(0, 2), {
  client: watched,
  experimentPrefix: "nested",
  loadNested: true,
  evaluators: [
    ({ runs }) => ({
      key: "shallow",
      scores: Object.fromEntries(runs.map((run) => [run.id, run.child_runs ? 0 : 1])),
    }),
  ],
});
await watched.awaitPendingTraceBatches();
const made = await client.createProject({
  projectName: `plain-${mark}`,
  description: "d",
  metadata: { team: mark },
  projectExtra: { any: "thing" },
});
const taken = await refusal(() => client.createProject({ projectName: `plain-${mark}` }));
const upserted = await client.createProject({ projectName: `plain-${mark}`, upsert: true });
const updated = await client.updateProject(made.id, {
  name: `renamed-${mark}`,
  description: "new",
  metadata: { team: mark, lead: "ada" },
  endTime: "2026-11-20T12:00:00.000Z",
});
const found = await all(client.listProjects({ metadata: { lead: "ada", team: mark } }));
const own = await client.createComparativeExperiment({
  name: `own-${mark}`,
  experimentIds: [projects[1].id, projects[0].id],
  description: "d",
  metadata: { a: 1 },
});
print({
  names,
  projects,
  compared: compared.results.length,
  nested: nested.results.length,
  asked,
  made,
  taken,
  upserted: upserted.id === made.id,
  updated,
  found: found.map((one) => one.name),
  own,
  url: await client.getProjectUrl({ projectId: made.id }),
  datasetUrl: await client.getDatasetUrl({ datasetId: dataset.id }),
  experiments: (await all(client.listProjects({ referenceDatasetName: dataset.name }))).map(
    (one) => one.name,
  ),
  free: (await all(client.listProjects({ nameContains: mark, referenceFree: true }))).map(
    (one) => one.name,
  ),
  byIds: (await all(client.listProjects({ projectIds: [made.id] }))).length,
  has: await client.hasProject({ projectName: `renamed-${mark}` }),
  hasNot: await client.hasProject({ projectName: `plain-${mark}` }),
  deleted: await client.deleteProject({ projectId: made.id }),
  after: await client.hasProject({ projectName: `renamed-${mark}` }),
  dataset: dataset.id,
});
