import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { all, works } from "./declared.mjs";

works(["createRun", "updateRun", "readRun"], async (w) => {
  const { session_name, end_time, outputs, ...run } = w.asSent({ tags: ["probe"] });
  await w.client.createRun(run);
  await w.client.updateRun(run.id, {
    trace_id: run.id,
    dotted_order: run.dotted_order,
    outputs: { answer: "because" },
    end_time,
  });
  const read = await w.client.readRun(run.id);
  assert.deepEqual([read.name, read.inputs, read.outputs], ["answer", run.inputs, outputs]);
  assert.deepEqual([read.tags, read.status], [["probe"], "success"]);
});

works(["flush", "awaitPendingTraceBatches", "cleanup"], async (w) => {
  const client = w.another();
  const { session_name, ...run } = w.asSent();
  await client.createRun(run);
  await client.flush();
  await client.awaitPendingTraceBatches();
  client.cleanup();
  assert.equal((await w.plain.readRun(run.id)).name, "answer");
});

works(["batchIngestRuns"], async (w) => {
  const { project_name, ...run } = w.asSent({ session_name: w.name("project") });
  await w.client.batchIngestRuns({ runCreates: [run] });
  assert.deepEqual((await w.plain.readRun(run.id)).inputs, { question: "why?" });
});

works(["multipartIngestRuns"], async (w) => {
  const { project_name, ...run } = w.asSent({
    session_name: w.name("project"),
    attachments: { note: ["text/plain", new TextEncoder().encode("hello")] },
  });
  await w.client.multipartIngestRuns({ runCreates: [run] });
  const read = await w.plain.readRun(run.id);
  assert.deepEqual(read.outputs, { answer: "because" });
  const [url] = Object.values(read.s3_urls ?? {}).map((at) => at.presigned_url);
  assert.equal(await (await fetch(url)).text(), "hello");
});

works(["listRuns"], async (w) => {
  const project_name = w.name("project");
  const first = await w.run({ project_name, tags: ["a"] });
  const second = await w.run({ project_name });
  const listed = await all(w.client.listRuns({ projectName: project_name }));
  assert.deepEqual(new Set(listed.map((run) => run.id)), new Set([first.id, second.id]));
  const filter = 'has(tags, "a")';
  const [found] = await all(w.client.listRuns({ projectName: project_name, filter }));
  assert.equal(found.id, first.id);
});

works(["getRunStats"], async (w) => {
  const run = await w.run();
  const stats = await w.client.getRunStats({ projectIds: [run.session_id] });
  assert.deepEqual([stats.run_count, stats.latency_p50], [1, 2]);
});

works(["getRunUrl", "getHostUrl"], async (w) => {
  const run = await w.run();
  const url = await w.client.getRunUrl({ run });
  assert.ok(url.startsWith(w.client.getHostUrl()));
  assert.ok(url.includes(run.id));
});

async function conversation(w) {
  const project_name = w.name("project");
  const thread_id = w.name("thread");
  const extra = { metadata: { thread_id } };
  const runs = [await w.run({ project_name, extra }), await w.run({ project_name, extra })];
  return { project_name, thread_id, runs };
}

works(["listThreads", "readThread", "listGroupRuns"], async (w) => {
  const { project_name, thread_id, runs } = await conversation(w);
  const ids = new Set(runs.map((run) => run.id));
  const [thread] = await w.client.listThreads({ projectName: project_name });
  assert.deepEqual([thread.thread_id, thread.count], [thread_id, 2]);
  const read = await all(w.client.readThread({ threadId: thread_id, projectName: project_name }));
  assert.deepEqual(new Set(read.map((run) => run.id)), ids);
  const [group] = await all(
    w.client.listGroupRuns({ projectName: project_name, groupBy: "conversation" }),
  );
  assert.deepEqual([group.group_key, group.count], [thread_id, 2]);
});

works(
  ["shareRun", "readRunSharedLink", "listSharedRuns", "unshareRun"],
  async (w) => {
    const run = await w.run();
    const shareId = randomUUID();
    const url = await w.client.shareRun(run.id, { shareId });
    assert.ok(url.includes(`/public/${shareId}`));
    assert.equal(await w.client.readRunSharedLink(run.id), url);
    const [shared] = await w.client.listSharedRuns(shareId);
    assert.equal(shared.id, run.id);
    await w.client.unshareRun(run.id);
    assert.equal(await w.client.readRunSharedLink(run.id), undefined);
  },
);

works(
  ["createProject", "readProject", "hasProject", "updateProject", "getProjectUrl", "deleteProject"],
  async (w) => {
    const projectName = w.name("project");
    const made = await w.client.createProject({ projectName, description: "d" });
    await w.client.updateProject(made.id, { description: "e", metadata: { a: 1 } });
    const read = await w.client.readProject({ projectName, includeStats: true });
    assert.deepEqual([read.id, read.description], [made.id, "e"]);
    assert.ok((await w.client.getProjectUrl({ projectId: made.id })).includes(made.id));
    assert.ok(await w.client.hasProject({ projectName }));
    await w.client.deleteProject({ projectName });
    assert.ok(!(await w.client.hasProject({ projectName })));
  },
);

works(["listProjects"], async (w) => {
  const made = await w.plain.createProject({ projectName: w.name("project") });
  const [found] = await all(w.client.listProjects({ nameContains: made.name }));
  assert.equal(found.id, made.id);
});

works(["tracingMode", "toString", "headers"], async (w) => {
  assert.equal(w.client.tracingMode, "langsmith");
  assert.ok(w.client.toString().includes("LangSmithClient"));
  assert.equal(typeof w.client.headers, "object");
}, "says what the client was given; nothing is asked of a server");
