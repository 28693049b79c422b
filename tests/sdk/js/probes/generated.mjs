// The generated client's runs, traces, threads, sessions and public reads (/api/v2).
import assert from "node:assert/strict";
import { all, refused, works } from "./declared.mjs";

const FIGURES = "dashboards are no part of Observatory; the figures of a project are on its page";
const FIELDS = ["ID", "NAME", "INPUTS", "OUTPUTS", "STATUS", "START_TIME", "TRACE_ID"];

async function conversation(w) {
  const [project_name, thread_id] = [w.name("project"), w.name("thread")];
  const extra = { metadata: { thread_id } };
  await w.run({ project_name, extra });
  const run = await w.run({ project_name, extra });
  return { thread_id, run, project_id: run.session_id };
}

works(["runs.query", "runs.queryV2"], async (w) => {
  const run = await w.run();
  const asked = { project_ids: [run.session_id], min_start_time: w.since, selects: FIELDS };
  for (const name of ["query", "queryV2"]) {
    const [found, ...more] = await all(w.client.runs[name](asked));
    assert.deepEqual([found.id, found.outputs, more], [run.id, { answer: "because" }, []]);
  }
});

works(["runs.retrieve", "runs.retrieveV2"], async (w) => {
  const run = await w.run();
  const asked = { project_id: run.session_id, start_time: w.start, selects: FIELDS };
  for (const name of ["retrieve", "retrieveV2"]) {
    const read = await w.client.runs[name](run.id, asked);
    assert.deepEqual([read.id, read.inputs], [run.id, { question: "why?" }]);
  }
});

works(["runs.getURL"], async (w) => {
  const run = await w.run();
  const told = await w.client.runs.getURL(run.id, {
    project_id: run.session_id,
    trace_id: run.trace_id,
  });
  assert.ok(told.url.includes(run.id));
});

works(
  ["runs.share.create", "runs.share.delete", "public.runs.retrieve", "public.runs.query"],
  async (w) => {
    const run = await w.run();
    const of = { session_id: run.session_id };
    const { share, ...rest } = { share: w.client.runs.share, trace_id: run.trace_id };
    const { share_token } = await share.create(run.id, { ...of, ...rest });
    const runs = w.client.public.runs;
    const read = await runs.retrieve(run.id, { share_token, selects: FIELDS, start_time: w.start });
    assert.deepEqual(read.outputs, { answer: "because" });
    const { items } = await runs.query(share_token, { selects: FIELDS });
    assert.deepEqual(items.map((one) => one.id), [run.id]);
    await share.delete(run.trace_id, of);
    assert.equal(await w.plain.readRunSharedLink(run.id), undefined);
  },
);

works(["runs.streaming.queryV2", "runs.streaming.queryV2Items"], async (w) => {
  const run = await w.run();
  const asked = { project_ids: [run.session_id], min_start_time: w.since, selects: FIELDS };
  const events = await all(w.client.runs.streaming.queryV2(asked));
  assert.ok(JSON.stringify(events).includes(run.id));
  const found = await all(w.client.runs.streaming.queryV2Items(asked));
  assert.deepEqual(found.map((one) => one.id), [run.id]);
});

works(["traces.query", "traces.listRuns"], async (w) => {
  const run = await w.run();
  const project_id = run.session_id;
  const [trace] = await all(w.client.traces.query({ project_id, min_start_time: w.since }));
  assert.equal(trace.root_run.id, run.trace_id);
  const { items } = await w.client.traces.listRuns(run.trace_id, { project_id, selects: FIELDS });
  assert.deepEqual(items.map((one) => one.id), [run.id]);
});

works(["traces.streaming.query", "traces.streaming.queryItems"], async (w) => {
  const run = await w.run();
  const asked = { project_id: run.session_id, min_start_time: w.since };
  const events = await all(w.client.traces.streaming.query(asked));
  assert.ok(JSON.stringify(events).includes(run.trace_id));
  const [trace] = await all(w.client.traces.streaming.queryItems(asked));
  assert.equal(trace.root_run.id, run.trace_id);
});

works(["threads.query", "threads.listTraces"], async (w) => {
  const { thread_id, project_id } = await conversation(w);
  const [thread] = await all(w.client.threads.query({ project_id, min_start_time: w.since }));
  assert.deepEqual([thread.thread_id, thread.count], [thread_id, 2]);
  assert.equal((await all(w.client.threads.listTraces(thread_id, { project_id }))).length, 2);
});

works(["threads.stats"], async (w) => {
  const { thread_id, project_id } = await conversation(w);
  const asked = { selects: ["TURNS"], session_id: project_id };
  assert.equal((await w.client.threads.stats(thread_id, asked)).turns, 2);
});

works(["threads.aggregateStats"], async (w) => {
  const { project_id } = await conversation(w);
  const select = ["THREAD_COUNT", "TRACE_COUNT"];
  const told = await w.client.threads.aggregateStats({
    project_id,
    select,
    min_start_time: w.since,
  });
  assert.ok(JSON.stringify(told).includes("thread_count"));
});

works(["threads.share.create", "threads.share.retrieve", "threads.share.delete"], async (w) => {
  const { thread_id, project_id } = await conversation(w);
  const share = w.client.threads.share;
  const { share_token } = await share.create(thread_id, { project_id });
  assert.ok(share_token);
  assert.equal((await share.retrieve(thread_id, { project_id })).share_token, share_token);
  await share.delete(thread_id, { project_id });
});

works(["threads.streaming.query", "threads.streaming.queryItems"], async (w) => {
  const { thread_id, project_id } = await conversation(w);
  const asked = { project_id, min_start_time: w.since };
  const events = await all(w.client.threads.streaming.query(asked));
  assert.ok(JSON.stringify(events).includes(thread_id));
  const [thread] = await all(w.client.threads.streaming.queryItems(asked));
  assert.equal(thread.thread_id, thread_id);
});

works(
  ["sessions.create", "sessions.retrieve", "sessions.update", "sessions.delete"],
  async (w) => {
    const [sessions, name] = [w.client.sessions, w.name("project")];
    const made = await sessions.create({ name });
    await sessions.update(made.id, { description: "e" });
    assert.equal((await sessions.retrieve(made.id)).description, "e");
    await sessions.delete(made.id);
    assert.ok(!(await w.plain.hasProject({ projectName: name })));
  },
);

works(["sessions.listV2"], async (w) => {
  const made = await w.plain.createProject({ projectName: w.name("project") });
  const found = await all(w.client.sessions.listV2({ name: made.name }));
  assert.deepEqual(found.map((project) => project.id), [made.id]);
});

refused(["sessions.dashboard"], "NotFoundError 404", FIGURES, async (w) => {
  const run = await w.run();
  assert.ok(await w.client.sessions.dashboard(run.session_id, { start_time: w.since }));
});

works(["sessions.resolve"], async (w) => {
  const run = await w.run({ project_name: "evaluators" });
  const told = await w.client.sessions.resolve({ kind: "EVALUATOR" });
  assert.equal(told.session_id, run.session_id);
});

works(["info.list"], async (w) => {
  const info = await w.client.info.list();
  assert.ok(info.version);
  assert.equal(info.batch_ingest_config.use_multipart_endpoint, true);
});
