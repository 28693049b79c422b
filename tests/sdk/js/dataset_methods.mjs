// What datasets.mjs does not call: files, CSV, sharing, clones, splits, schemas, legacy arguments.
import { all, client, print, refusal, traced } from "./observed.mjs";

const mark = process.env.LANGSMITH_PROJECT;
const text = (bytes) => new TextDecoder().decode(bytes);
const csv = await client.uploadCsv({
  csvFile: new Blob(["question,answer\nwhy?,because\nhow?,so\n"]),
  fileName: `from-${mark}.csv`,
  inputKeys: ["question"],
  outputKeys: ["answer"],
  description: "d",
  dataType: "kv",
});
const dataset = await client.createDataset(`methods-${mark}`, {
  dataType: "kv",
  inputsSchema: { type: "object", properties: { n: { type: "integer" } } },
  outputsSchema: { type: "object" },
});
const bad = await refusal(() =>
  client.createExample({ inputs: { n: "x" }, outputs: {}, dataset_id: dataset.id }),
);
const legacy = await client.createExample({ n: 1 }, { m: 1 }, {
  datasetId: dataset.id,
  createdAt: new Date("2026-01-02T03:04:05.678Z"),
  metadata: { a: 1 },
  split: "train",
});
const runId = await traced("answer", { n: 7 }, { m: 7 });
await client.awaitPendingTraceBatches();
const [fromRun] = await client.createExamples({
  inputs: [undefined],
  sourceRunIds: [runId],
  useSourceRunIOs: [true],
  datasetId: dataset.id,
});
const [filed] = await client.createExamples([
  {
    inputs: { n: 2 },
    dataset_id: dataset.id,
    attachments: { "note.txt": { mimeType: "text/plain", data: new TextEncoder().encode("hi") } },
  },
]);
const listedFiles = await all(
  client.listExamples({ datasetId: dataset.id, exampleIds: [filed.id], includeAttachments: true }),
);
const url = listedFiles[0].attachments["note.txt"].presigned_url;
const content = text(await (await fetch(url)).arrayBuffer());
const changedFiles = await client.updateExample({
  id: filed.id,
  dataset_id: dataset.id,
  attachments: { more: { mimeType: "text/plain", data: new TextEncoder().encode("yo") } },
  attachments_operations: { rename: { "note.txt": "renamed" }, retain: [] },
});
const refiled = await client.readExample(filed.id);
const updates = await client.updateExamples([
  { id: legacy.id, dataset_id: dataset.id, metadata: { a: 2 }, split: ["train", "hard"] },
  { id: fromRun.id, dataset_id: dataset.id, outputs: { m: 8 } },
]);
await client.updateDatasetSplits({
  datasetId: dataset.id,
  splitName: "test",
  exampleIds: [fromRun.id, filed.id],
});
const splits = await client.listDatasetSplits({ datasetName: `methods-${mark}` });
await client.updateDatasetSplits({
  datasetId: dataset.id,
  splitName: "test",
  exampleIds: [filed.id],
  remove: true,
});
const inTest = await all(client.listExamples({ datasetId: dataset.id, splits: ["test"] }));
const filtered = await all(
  client.listExamples({ datasetId: dataset.id, filter: 'has(metadata, \'{"a": 2}\')', limit: 1 }),
);
const renamed = await client.updateDataset({
  datasetId: dataset.id,
  name: `renamed-${mark}`,
  description: "new",
});
const chats = await client.createDataset(`chats-${mark}`, { dataType: "chat" });
const chat = await client.createChatExample(
  [{ type: "human", data: { content: "hi" } }],
  { type: "ai", data: { content: "hello" } },
  { datasetId: chats.id },
);
const fineTuning = await client.readDatasetOpenaiFinetuning({ datasetId: chats.id });
const llms = await client.createDataset(`llms-${mark}`, { dataType: "llm" });
const llm = await client.createLLMExample("why?", "because", { datasetId: llms.id });
const share = await client.shareDataset(csv.id);
const shared = await client.readSharedDataset(share.share_token);
const sharedSchema = await client.readDatasetSharedSchema(undefined, csv.name);
const sharedExamples = await client.listSharedExamples(share.share_token);
const [chosen] = await client.listSharedExamples(share.share_token, {
  exampleIds: [sharedExamples[1].id],
});
await client.clonePublicDataset(share.url, { datasetName: `clone-${mark}` });
await client.unshareDataset(csv.id);
const closed = await refusal(() => client.readSharedDataset(share.share_token));
await client.deleteExamples([legacy.id, fromRun.id]);
await client.deleteExamples([filed.id], { hardDelete: true });
const left = await all(client.listExamples({ datasetId: dataset.id }));
await client.deleteDataset({ datasetId: dataset.id });
print({
  csv,
  dataset,
  bad,
  legacy,
  fromRun,
  filed,
  content,
  changedFiles,
  files: Object.keys(refiled.attachments).sort(),
  updates,
  splits,
  inTest: inTest.map((one) => one.id),
  filtered: filtered.map((one) => one.metadata),
  renamed,
  chat,
  fineTuning,
  llm,
  share,
  shared,
  sharedSchema,
  sharedExamples,
  chosen,
  cloned: await all(client.listExamples({ datasetName: `clone-${mark}` })),
  closed,
  left,
  byName: await all(client.listDatasets({ datasetNameContains: mark, limit: 2, offset: 0 })),
  gone: await client.hasDataset({ datasetId: dataset.id }),
});
