// Annotation queues and feedback configs.
import { all, client, print, refusal, traced } from "./observed.mjs";

const started = Date.now();
const first = await traced("answer", { question: "one" }, { answer: "1" });
const second = await traced("answer", { question: "two" }, { answer: "2" });
const declared = await client.createFeedbackConfig({
  feedbackKey: "js_stars",
  feedbackConfig: { type: "continuous", min: 1, max: 5 },
  isLowerScoreBetter: false,
});
const queue = await client.createAnnotationQueue({
  name: "From JavaScript",
  description: "Doubtful answers",
  rubricInstructions: "Read all of it.",
  rubricItems: [{ feedback_key: "js_stars", description: "How good?", is_required: true }],
});
// One by its id, one by its key, neither necessarily stored yet, one of them twice
await client.addRunsToAnnotationQueue(queue.id, [first]);
await client.addRunsToAnnotationQueue(queue.id, [
  { runId: second, sessionId: "0198c0de-0000-7000-8000-000000000002", startTime: started },
]);
await client.addRunsToAnnotationQueue(queue.id, [first]);
await client.awaitPendingTraceBatches();

const listed = await all(client.listRunsFromAnnotationQueue(queue.id));
const size = await client.getSizeFromAnnotationQueue(queue.id);
const at = await client.getRunFromAnnotationQueue(queue.id, 1);
const beyond = await refusal(() => client.getRunFromAnnotationQueue(queue.id, 2));
await client.deleteRunFromAnnotationQueue(queue.id, at.queue_run_id);
await client.updateAnnotationQueue(queue.id, { name: "Renamed" });
const read = await client.readAnnotationQueue(queue.id);
const found = await all(client.listAnnotationQueues({ queueIds: [queue.id] }));
const left = await all(client.listRunsFromAnnotationQueue(queue.id));

// The generated resource: items by cursor, a thread, statuses, counts, export
const queues = client.annotationQueues;
const added = await queues.items.create(queue.id, {
  items: [{ item_type: "THREAD", thread_id: "t", project_id: "0198c0de-0000-7000-8000-000000000002" }],
});
const items = [];
for await (const item of queues.items.list(queue.id, { status: "needs_my_review", page_size: 1 })) items.push(item.item_type);
const viewed = await queues.items.createStatus(added.items[0].id, { status: "viewed" });
const placed = await queues.items.retrievePlacement(added.items[0].id, { queue_id: queue.id });
await queues.items.deleteAll(queue.id, { item_ids: [added.items[0].id] });
const count = await queues.items.retrieveCount(queue.id, { status: "all" });
const exported = await queues.export(queue.id, { include_annotator_detail: true });
const retrieved = await queues.retrieve(queue.id);
const archived = await queues.retrieveTotalArchived(queue.id, {});
await client.deleteAnnotationQueue(queue.id);

const changed = await client.updateFeedbackConfig("js_stars", { isLowerScoreBetter: true });
const configs = await all(client.listFeedbackConfigs({ feedbackKeys: ["js_stars"] }));
await client.deleteFeedbackConfig("js_stars");
print({
  first,
  second,
  queue,
  listed,
  size,
  at: at.id,
  beyond,
  read,
  found,
  left: left.map((run) => run.id),
  items,
  viewed,
  placed,
  count,
  exported: typeof exported === "string" ? exported.split(",")[0] : exported,
  retrieved: retrieved.queue_type,
  archived,
  gone: await refusal(() => client.readAnnotationQueue(queue.id)),
  declared,
  changed,
  configs,
  withdrawn: await all(client.listFeedbackConfigs({ feedbackKeys: ["js_stars"] })),
});
