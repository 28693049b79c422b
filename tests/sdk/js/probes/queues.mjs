import assert from "node:assert/strict";
import { all, works } from "./declared.mjs";

works(
  [
    "createAnnotationQueue",
    "readAnnotationQueue",
    "updateAnnotationQueue",
    "listAnnotationQueues",
    "deleteAnnotationQueue",
  ],
  async (w) => {
    const name = w.name("queue");
    const rubricItems = [{ feedback_key: "correctness", description: "Is it right?" }];
    const made = await w.client.createAnnotationQueue({ name, rubricItems });
    await w.client.updateAnnotationQueue(made.id, { name: `${name}-new`, description: "e" });
    const read = await w.client.readAnnotationQueue(made.id);
    assert.deepEqual([read.name, read.description], [`${name}-new`, "e"]);
    assert.equal(read.rubric_items[0].feedback_key, "correctness");
    const [listed] = await all(w.client.listAnnotationQueues({ nameContains: name }));
    assert.equal(listed.id, made.id);
    await w.client.deleteAnnotationQueue(made.id);
    assert.deepEqual(await all(w.client.listAnnotationQueues({ queueIds: [made.id] })), []);
  },
);

works(
  [
    "addRunsToAnnotationQueue",
    "listRunsFromAnnotationQueue",
    "getRunFromAnnotationQueue",
    "getSizeFromAnnotationQueue",
    "deleteRunFromAnnotationQueue",
  ],
  async (w) => {
    const [queue, first, second] = [await w.queue(), await w.run(), await w.run()];
    await w.client.addRunsToAnnotationQueue(queue.id, [first.id, second.id]);
    const listed = await all(w.client.listRunsFromAnnotationQueue(queue.id));
    assert.deepEqual(listed.map((run) => run.id), [first.id, second.id]);
    assert.equal((await w.client.getRunFromAnnotationQueue(queue.id, 1)).id, second.id);
    await w.client.deleteRunFromAnnotationQueue(queue.id, listed[0].queue_run_id);
    assert.deepEqual(await w.client.getSizeFromAnnotationQueue(queue.id), { size: 1 });
  },
);

// The generated client

works(
  [
    "annotationQueues.annotationQueues",
    "annotationQueues.retrieve",
    "annotationQueues.update",
    "annotationQueues.delete",
    "annotationQueues.retrieveAnnotationQueues",
  ],
  async (w) => {
    const [queues, name] = [w.client.annotationQueues, w.name("queue")];
    const made = await queues.annotationQueues({ name, num_reviewers_per_item: 2 });
    await queues.update(made.id, { description: "changed" });
    const read = await queues.retrieve(made.id);
    assert.deepEqual([read.description, read.num_reviewers_per_item], ["changed", 2]);
    const listed = await all(queues.retrieveAnnotationQueues({ name_contains: name }));
    assert.deepEqual(listed.map((queue) => queue.id), [made.id]);
    await queues.delete(made.id);
    assert.deepEqual(await all(queues.retrieveAnnotationQueues({ ids: [made.id] })), []);
  },
);

const pieces = (page) => page.items ?? [...page];

works(
  [
    "annotationQueues.runs.create",
    "annotationQueues.runs.createByKey",
    "annotationQueues.runs.list",
    "annotationQueues.runs.deleteQueue",
  ],
  async (w) => {
    const [queue, first, second] = [await w.queue(), await w.run(), await w.run()];
    const runs = w.client.annotationQueues.runs;
    const [item] = await runs.create(queue.id, { body: [first.id] });
    await runs.createByKey(queue.id, {
      body: [{ run_id: second.id, session_id: second.session_id, start_time: w.start }],
    });
    const listed = pieces(await runs.list(queue.id));
    assert.deepEqual(listed.map((run) => run.id), [first.id, second.id]);
    await runs.deleteQueue(item.id, { queue_id: queue.id });
    assert.deepEqual(pieces(await runs.list(queue.id)).map((run) => run.id), [second.id]);
  },
);

works(["annotationQueues.runs.update", "annotationQueues.runs.deleteAll"], async (w) => {
  const { queue, run, item } = await w.queued();
  const runs = w.client.annotationQueues.runs;
  await runs.update(item, { queue_id: queue.id, last_reviewed_time: w.start });
  await runs.deleteAll(queue.id, { run_ids: [run.id] });
  assert.deepEqual(await all(w.plain.listRunsFromAnnotationQueue(queue.id)), []);
});

works(["annotationQueues.createRunStatus"], async (w) => {
  const { queue, item } = await w.queued();
  await w.client.annotationQueues.createRunStatus(item, { status: "completed" });
  const status = "needs_my_review";
  assert.deepEqual(await all(w.plain.listRunsFromAnnotationQueue(queue.id, { status })), []);
});

works(["annotationQueues.export"], async (w) => {
  const { queue, run, item } = await w.queued();
  await w.client.annotationQueues.createRunStatus(item, { status: "completed" });
  const answer = await w.client.annotationQueues.export(queue.id, {});
  const text = typeof answer === "string" ? answer : JSON.stringify(answer);
  assert.ok(text.includes(run.id));
});

works(["annotationQueues.populate"], async (w) => {
  const { project } = await w.experiment();
  const queue = await w.queue();
  await w.client.annotationQueues.populate({ queue_id: queue.id, session_ids: [project.id] });
  assert.equal((await all(w.plain.listRunsFromAnnotationQueue(queue.id))).length, 3);
});

works(["annotationQueues.retrieveQueues", "annotationQueues.retrieveRun"], async (w) => {
  const { queue, run } = await w.queued();
  const queues = w.client.annotationQueues;
  assert.deepEqual((await queues.retrieveQueues(run.id)).map((one) => one.id), [queue.id]);
  assert.equal((await queues.retrieveRun(0, { queue_id: queue.id })).id, run.id);
});

works(
  [
    "annotationQueues.retrieveSize",
    "annotationQueues.retrieveTotalSize",
    "annotationQueues.retrieveTotalArchived",
  ],
  async (w) => {
    const { queue } = await w.queued();
    const queues = w.client.annotationQueues;
    assert.equal((await queues.retrieveSize(queue.id)).size, 1);
    assert.equal((await queues.retrieveTotalSize(queue.id)).size, 1);
    assert.equal((await queues.retrieveTotalArchived(queue.id)).size, 0);
  },
);

works(
  [
    "annotationQueues.items.create",
    "annotationQueues.items.list",
    "annotationQueues.items.update",
    "annotationQueues.items.retrieveCount",
    "annotationQueues.items.retrievePlacement",
  ],
  async (w) => {
    const [queue, run, status] = [await w.queue(), await w.run(), "needs_my_review"];
    const items = w.client.annotationQueues.items;
    const item_ = {
      item_type: "RUN",
      run_id: run.id,
      project_id: run.session_id,
      start_time: w.start,
    };
    await items.create(queue.id, { items: [item_] });
    const [item] = await all(items.list(queue.id, { status }));
    assert.equal(item.run_id, run.id);
    assert.equal((await items.retrieveCount(queue.id, { status })).count, 1);
    const placed = await items.retrievePlacement(item.id, { queue_id: queue.id });
    assert.deepEqual([placed.section, placed.position], [status, 0]);
    await items.update(item.id, { queue_id: queue.id, last_reviewed_time: w.start });
  },
);

works(
  ["annotationQueues.items.createStatus", "annotationQueues.items.deleteAll"],
  async (w) => {
    const { queue, item } = await w.queued();
    const items = w.client.annotationQueues.items;
    const answer = await items.createStatus(item, { status: "completed" });
    assert.deepEqual([answer.queue_item_id, answer.status], [item, "completed"]);
    await items.deleteAll(queue.id, { item_ids: [item] });
    assert.deepEqual(await all(w.plain.listRunsFromAnnotationQueue(queue.id)), []);
  },
);
