import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { all, works } from "./declared.mjs";

works(
  [
    "createDataset",
    "readDataset",
    "updateDataset",
    "listDatasets",
    "hasDataset",
    "getDatasetUrl",
    "deleteDataset",
  ],
  async (w) => {
    const name = w.name("dataset");
    const made = await w.client.createDataset(name, { description: "d" });
    await w.client.updateDataset({ datasetId: made.id, description: "e" });
    const read = await w.client.readDataset({ datasetName: name });
    assert.deepEqual([read.id, read.description], [made.id, "e"]);
    const [listed] = await all(w.client.listDatasets({ datasetNameContains: name }));
    assert.equal(listed.id, made.id);
    assert.ok((await w.client.getDatasetUrl({ datasetId: made.id })).includes(made.id));
    await w.client.deleteDataset({ datasetId: made.id });
    assert.ok(!(await w.client.hasDataset({ datasetName: name })));
  },
);

works(
  [
    "createExample",
    "createExamples",
    "readExample",
    "listExamples",
    "updateExample",
    "updateExamples",
    "deleteExample",
    "deleteExamples",
  ],
  async (w) => {
    const dataset = await w.plain.createDataset(w.name("dataset"));
    const dataset_id = dataset.id;
    const one = await w.client.createExample({ inputs: { x: 1 }, outputs: { y: 1 }, dataset_id });
    const [two, three] = await w.client.createExamples([
      { inputs: { x: 2 }, dataset_id },
      { inputs: { x: 3 }, dataset_id },
    ]);
    await w.client.updateExample({ id: one.id, outputs: { y: "a" } });
    await w.client.updateExamples([{ id: two.id, outputs: { y: "b" }, dataset_id }]);
    assert.deepEqual((await w.client.readExample(one.id)).outputs, { y: "a" });
    await w.client.deleteExample(one.id);
    await w.client.deleteExamples([three.id], { hardDelete: true });
    const [left, ...more] = await all(w.client.listExamples({ datasetId: dataset_id }));
    assert.deepEqual([left.id, left.outputs, more], [two.id, { y: "b" }, []]);
  },
);

works(["createChatExample", "createLLMExample"], async (w) => {
  const chat = await w.plain.createDataset(w.name("chat"), { dataType: "chat" });
  const llm = await w.plain.createDataset(w.name("llm"), { dataType: "llm" });
  const [hi, hello] = ["hi", "hello"].map((content) => ({ type: "human", data: { content } }));
  await w.client.createChatExample([hi], hello, { datasetId: chat.id });
  await w.client.createLLMExample("hi", "hello", { datasetId: llm.id });
  const [said] = await all(w.plain.listExamples({ datasetId: chat.id }));
  assert.equal(said.inputs.input[0].data.content, "hi");
  const [text] = await all(w.plain.listExamples({ datasetId: llm.id }));
  assert.deepEqual([text.inputs, text.outputs], [{ input: "hi" }, { output: "hello" }]);
});

works(["uploadExamplesMultipart", "updateExamplesMultipart"], async (w) => {
  const [dataset, id] = [await w.plain.createDataset(w.name("dataset")), randomUUID()];
  await w.client.uploadExamplesMultipart(dataset.id, [{ id, inputs: { x: 1 }, outputs: { y: 1 } }]);
  await w.client.updateExamplesMultipart(dataset.id, [{ id, outputs: { y: 2 } }]);
  assert.deepEqual((await w.plain.readExample(id)).outputs, { y: 2 });
});

works(["uploadCsv"], async (w) => {
  const made = await w.client.uploadCsv({
    csvFile: new Blob(["question,answer\nwhy?,because\n"], { type: "text/csv" }),
    fileName: "rows.csv",
    inputKeys: ["question"],
    outputKeys: ["answer"],
    name: w.name("csv"),
  });
  const [row] = await all(w.plain.listExamples({ datasetId: made.id }));
  assert.deepEqual([row.inputs, row.outputs], [{ question: "why?" }, { answer: "because" }]);
});

works(
  [
    "readDatasetVersion",
    "updateDatasetTag",
    "diffDatasetVersions",
    "listDatasetSplits",
    "updateDatasetSplits",
  ],
  async (w) => {
    const { id: datasetId, examples } = await w.dataset();
    const asOf = (await w.client.readDatasetVersion({ datasetId, tag: "latest" })).as_of;
    await w.client.updateDatasetTag({ datasetId, asOf, tag: "prod" });
    const exampleIds = [examples[0].id];
    await w.client.updateDatasetSplits({ datasetId, splitName: "hard", exampleIds });
    assert.ok((await w.client.listDatasetSplits({ datasetId })).includes("hard"));
    const diff = await w.client.diffDatasetVersions({
      datasetId,
      fromVersion: "prod",
      toVersion: "latest",
    });
    assert.deepEqual(diff.examples_modified, exampleIds);
  },
);

works(["readDatasetOpenaiFinetuning"], async (w) => {
  const dataset = await w.plain.createDataset(w.name("dataset"));
  await w.plain.createExample({
    inputs: { messages: [{ role: "user", content: "hi" }] },
    outputs: { messages: [{ role: "assistant", content: "hello" }] },
    dataset_id: dataset.id,
  });
  const [line] = await w.client.readDatasetOpenaiFinetuning({ datasetId: dataset.id });
  assert.deepEqual(line.messages.map((message) => message.role), ["user", "assistant"]);
});

works(
  [
    "shareDataset",
    "readDatasetSharedSchema",
    "readSharedDataset",
    "listSharedExamples",
    "clonePublicDataset",
    "unshareDataset",
  ],
  async (w) => {
    const { id } = await w.dataset();
    const { share_token: token } = await w.client.shareDataset(id);
    assert.equal((await w.client.readDatasetSharedSchema(id)).share_token, token);
    assert.equal((await w.client.readSharedDataset(token)).id, id);
    assert.equal((await w.client.listSharedExamples(token)).length, 3);
    const datasetName = w.name("copy");
    await w.client.clonePublicDataset(token, { datasetName });
    assert.equal((await all(w.plain.listExamples({ datasetName }))).length, 3);
    await w.client.unshareDataset(id);
    await assert.rejects(w.plain.readSharedDataset(token), { status: 404 });
  },
);

works(["createComparativeExperiment"], async (w) => {
  const first = await w.experiment();
  const second = await w.experiment(first.dataset);
  const compared = await w.client.createComparativeExperiment({
    name: w.name("comparison"),
    experimentIds: [first.project.id, second.project.id],
    referenceDatasetId: first.dataset.id,
  });
  assert.equal(compared.reference_dataset_id, first.dataset.id);
});

// The generated client

works(["datasets.examples.delete", "datasets.examples.updateMetadata"], async (w) => {
  const { id, examples } = await w.dataset();
  const [first, second] = examples;
  await w.client.datasets.examples.updateMetadata(id, {
    example_ids: [second.id],
    operations: [{ operation: "SET", key: "seen", value: 1 }],
  });
  assert.equal((await w.plain.readExample(second.id)).metadata.seen, 1);
  await w.client.datasets.examples.delete(first.id, { dataset_id: id });
  assert.equal((await all(w.plain.listExamples({ datasetId: id }))).length, 2);
});

works(["datasets.experimentRuns.query"], async (w) => {
  const { project, dataset } = await w.experiment();
  const rows = await all(
    w.client.datasets.experimentRuns.query(dataset.id, {
      experiment_ids: [project.id],
      page_size: 2,
    }),
  );
  assert.equal(rows.length, 3);
});

works(["datasets.listV2"], async (w) => {
  const made = [(await w.dataset()).id, (await w.dataset()).id];
  const found = await all(w.client.datasets.listV2({ id: made, page_size: 1 }));
  assert.deepEqual(found.map((dataset) => dataset.id), made.reverse());
});
