// Runs shared, linked and counted, threads listed and read, files sent: the methods of the client
// itself, those of its generated resources, and a stranger who holds nothing but a token.
import { RunTree } from "langsmith";
import { all, Client, client, print, refusal, traceable } from "./observed.mjs";

const projectName = process.env.LANGSMITH_PROJECT;
const said = (question) => ({
  content: question.toUpperCase(),
  usage_metadata: { input_tokens: 7, output_tokens: 3, total_tokens: 10, total_cost: 0.5 },
});
const model = traceable(async (question) => said(question), { name: "model", run_type: "llm", client });
const answer = traceable(async (question) => (await model(question)).content, {
  name: "answer",
  client,
});

async function turn(thread, question) {
  const root = new RunTree({
    name: "turn",
    client,
    inputs: { question },
    extra: { metadata: { thread_id: thread } },
    attachments: { note: ["text/plain", new TextEncoder().encode(`of ${question}`)] },
  });
  await root.postRun();
  const child = root.createChild({ name: "model", run_type: "llm", inputs: { question } });
  await child.postRun();
  await child.end(said(question));
  await child.patchRun();
  await root.end({ answer: question.toUpperCase() });
  await root.patchRun();
  await new Promise((later) => setTimeout(later, 5)); // two turns start at two moments
  return root.id;
}

const ids = [await turn("a", "one"), await turn("a", "two"), await turn("b", "three")];
await answer("alone");
await client.flush();
await client.awaitPendingTraceBatches();
const [first] = ids;
const project = await client.readProject({ projectName });
const run = await client.readRun(first, { loadChildRuns: true });
const file = run.s3_urls["attachment.note"].presigned_url;

const shareId = crypto.randomUUID();
const before = { is: await client.readRunSharedLink(first) };
const link = await client.shareRun(first, { shareId });
const stranger = new Client({ apiUrl: process.env.LANGSMITH_ENDPOINT, apiKey: "none" });
const shared = await stranger.listSharedRuns(shareId);
const one = await stranger.listSharedRuns(shareId, { runIds: [shared[1].id] });
const byResource = await stranger.public.runs.query(shareId, { selects: ["ID", "START_TIME"] });
const single = await stranger.public.runs.retrieve(byResource.items[0].id, {
  share_token: shareId,
  selects: ["NAME", "OUTPUTS"],
  start_time: byResource.items[0].start_time,
});
const again = { link: await client.shareRun(first), read: await client.readRunSharedLink(first) };
await client.unshareRun(first);
const after = {
  is: await client.readRunSharedLink(first),
  refused: await refusal(() => stranger.listSharedRuns(shareId)),
};

const selects = ["ID", "NAME", "TOTAL_TOKENS", "SHARE_URL", "ATTACHMENTS", "INPUTS"];
const queried = await all(
  client.runs.query({ project_ids: [project.id], is_root: true, page_size: 1, selects }),
);
const created = await client.runs.share.create(first, { session_id: project.id, trace_id: first });
const retrieved = await client.runs.retrieve(first, { project_id: project.id, selects });
await client.runs.share.delete(first, { session_id: project.id });

print({
  ids,
  project,
  run,
  file: await (await fetch(file)).text(),
  before,
  link,
  shareId,
  shared,
  one,
  byResource: byResource.items,
  single,
  again,
  after,
  url: await client.getRunUrl({ runId: first }),
  urlOfRun: await client.getRunUrl({ run }),
  urlV2: (await client.runs.getURL(first, { project_id: project.id, trace_id: first })).url,
  queried,
  created,
  retrieved,
  traces: await all(
    client.traces.query({ project_id: project.id, page_size: 2, selects: ["ID", "TOTAL_TOKENS"] }),
  ),
  runsOfTrace: (
    await client.traces.listRuns(first, { project_id: project.id, selects: ["NAME"] })
  ).items,
  stats: await client.getRunStats({ projectIds: [project.id], isRoot: true }),
  narrowed: await client.getRunStats({
    projectNames: [projectName],
    runType: "llm",
    trace: first,
    dataSourceType: "current",
  }),
  groups: await all(client.listGroupRuns({ projectName, groupBy: "conversation" })),
  page: await all(
    client.listGroupRuns({
      projectId: project.id,
      groupBy: "conversation",
      filter: 'eq(thread_id, "a")',
      startTime: new Date(Date.now() - 3600_000),
      endTime: new Date(Date.now() + 3600_000),
      limit: 1,
    }),
  ),
  threads: await client.listThreads({ projectName }),
  secondThread: await client.listThreads({ projectId: project.id, limit: 1, offset: 1 }),
  thread: await all(client.readThread({ threadId: "a", projectName })),
  modelsOfThread: await all(
    client.readThread({
      threadId: "a",
      projectId: project.id,
      isRoot: false,
      filter: 'eq(run_type, "llm")',
      order: "desc",
      limit: 1,
    }),
  ),
  threadsV2: await all(client.threads.query({ project_id: project.id, page_size: 1 })),
  tracesOfThread: await all(
    client.threads.listTraces("a", { project_id: project.id, page_size: 1, selects: ["NAME"] }),
  ),
  statsOfThread: await client.threads.stats("a", {
    session_id: project.id,
    selects: ["TURNS", "TOTAL_TOKENS"],
  }),
});
