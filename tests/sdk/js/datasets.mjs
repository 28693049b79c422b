// datasets as the JavaScript SDK writes and reads them: every write is multipart.
import { all, client, print, refusal } from "./observed.mjs";

const name = `golden-${process.env.LANGSMITH_PROJECT}`;
const before = await client.hasDataset({ datasetName: name });
const dataset = await client.createDataset(name, { description: "d", metadata: { team: "a" } });
const again = await refusal(() => client.createDataset(name));
const one = await client.createExample({
  inputs: { q: "Größe?" },
  outputs: { a: 1.5 },
  metadata: { m: [1] },
  split: ["train"],
  dataset_id: dataset.id,
});
const many = await client.createExamples(
  [1, 2, 3].map((n) => ({ inputs: { n }, outputs: { n }, dataset_id: dataset.id })),
);
const listed = await all(client.listExamples({ datasetName: name }));
const prod = await client.readDatasetVersion({ datasetName: name, tag: "latest" });
await client.updateDatasetTag({ datasetId: dataset.id, asOf: prod.as_of, tag: "prod" });
await client.updateExample({ id: one.id, dataset_id: dataset.id, outputs: { a: 2 } });
const changed = await client.readExample(one.id);
await client.deleteExample(many[0].id);
const gone = await refusal(() => client.readExample(many[0].id));
print({
  before,
  after: await client.hasDataset({ datasetName: name }),
  dataset: await client.readDataset({ datasetName: name }),
  again,
  one,
  many,
  listed,
  changed,
  gone,
  train: await all(client.listExamples({ datasetId: dataset.id, splits: ["train"] })),
  atProd: await all(client.listExamples({ datasetId: dataset.id, asOf: "prod" })),
  now: await all(client.listExamples({ datasetId: dataset.id })),
  datasets: await all(client.listDatasets({ datasetName: name })),
  splits: await client.listDatasetSplits({ datasetId: dataset.id }),
  difference: await client.diffDatasetVersions({
    datasetId: dataset.id,
    fromVersion: "prod",
    toVersion: "latest",
  }),
});
