// What the SDK offers and no seed asks for: 404 with a JSON error, and a reason.
import { all, refusedCalls } from "./declared.mjs";

const ID = "01980000-0000-7000-8000-000000000000";
const MISSING = "NotFoundError 404";

refusedCalls(MISSING, "a registry of deployed agents is no part of Observatory", {
  "agents.create": (w) => w.client.agents.create({ id: "helper" }),
  "agents.retrieve": (w) => w.client.agents.retrieve("helper"),
  "agents.update": (w) => w.client.agents.update("helper", { name: "h" }),
  "agents.list": (w) => all(w.client.agents.list()),
  "agents.delete": (w) => w.client.agents.delete("helper"),
});

const JUDGES =
  "evaluators that the server runs on its own are no part of Observatory; " +
  "routing rules find doubtful runs, and people judge them";

refusedCalls(MISSING, JUDGES, {
  "evaluators.create": (w) => w.client.evaluators.create({ name: "e", type: "code" }),
  "evaluators.retrieve": (w) => w.client.evaluators.retrieve(ID),
  "evaluators.update": (w) => w.client.evaluators.update(ID, { name: "e" }),
  "evaluators.list": (w) => all(w.client.evaluators.list()),
  "evaluators.delete": (w) => w.client.evaluators.delete(ID),
  "evaluators.bulkDelete": (w) => w.client.evaluators.bulkDelete({ evaluator_ids: [ID] }),
  "evaluators.spend": (w) => w.client.evaluators.spend({ period_start: "2026-01-01" }),
});

const boxes = (w) => w.client.sandboxes.boxes;
const registries = (w) => w.client.sandboxes.registries;
const snapshots = (w) => w.client.sandboxes.snapshots;
const DAY = { start_time: "2026-01-01T00:00:00Z", end_time: "2026-01-02T00:00:00Z" };
const IMAGE = { docker_image: "i", fs_capacity_bytes: 1, name: "s" };

refusedCalls(MISSING, "sandboxes that run code are no part of Observatory", {
  "sandboxes.listUsageCosts": (w) => w.client.sandboxes.listUsageCosts(DAY),
  "sandboxes.boxes.create": (w) => boxes(w).create({ name: "b" }),
  "sandboxes.boxes.createSnapshot": (w) => boxes(w).createSnapshot("b", { body_name: "s" }),
  "sandboxes.boxes.delete": (w) => boxes(w).delete("b"),
  "sandboxes.boxes.deleteServiceURL": (w) => boxes(w).deleteServiceURL("b", { port: 80 }),
  "sandboxes.boxes.generateDownloadURL": (w) => boxes(w).generateDownloadURL("b", { path: "/a" }),
  "sandboxes.boxes.generateServiceURL": (w) => boxes(w).generateServiceURL("b", { port: 80 }),
  "sandboxes.boxes.getStatus": (w) => boxes(w).getStatus("b"),
  "sandboxes.boxes.list": (w) => all(boxes(w).list()),
  "sandboxes.boxes.listServiceURLs": (w) => all(boxes(w).listServiceURLs("b")),
  "sandboxes.boxes.retrieve": (w) => boxes(w).retrieve("b"),
  "sandboxes.boxes.start": (w) => boxes(w).start("b"),
  "sandboxes.boxes.stop": (w) => boxes(w).stop("b"),
  "sandboxes.boxes.update": (w) => boxes(w).update("b", { vcpus: 1 }),
  "sandboxes.registries.create": (w) => registries(w).create({ name: "r", url: "https://r.example" }),
  "sandboxes.registries.delete": (w) => registries(w).delete("r"),
  "sandboxes.registries.list": (w) => all(registries(w).list()),
  "sandboxes.registries.retrieve": (w) => registries(w).retrieve("r"),
  "sandboxes.registries.update": (w) => registries(w).update("r", { username: "u" }),
  "sandboxes.snapshots.create": (w) => snapshots(w).create(IMAGE),
  "sandboxes.snapshots.delete": (w) => snapshots(w).delete("s"),
  "sandboxes.snapshots.list": (w) => all(snapshots(w).list()),
  "sandboxes.snapshots.retrieve": (w) => snapshots(w).retrieve("s"),
  "sandboxes.snapshots.retrieveByName": (w) => snapshots(w).retrieveByName("s"),
});

// Only the default export offers what follows.

const online = (w) => w.client.onlineEvaluators;
const CODE = { name: "e", type: "code" };

refusedCalls(MISSING, JUDGES, {
  "onlineEvaluators.create": (w) => online(w).create(CODE),
  "onlineEvaluators.retrieve": (w) => online(w).retrieve(ID),
  "onlineEvaluators.update": (w) => online(w).update(ID, { name: "e" }),
  "onlineEvaluators.list": (w) => all(online(w).list()),
  "onlineEvaluators.delete": (w) => online(w).delete(ID),
  "onlineEvaluators.bulkDelete": (w) => online(w).bulkDelete({ evaluator_ids: [ID] }),
  "onlineEvaluators.spend": (w) => online(w).spend({ period_start: "2026-01-01" }),
  "evaluators.createDecisionModel": (w) =>
    w.client.evaluators.createDecisionModel({
      display_name: "d",
      prompt: [["user", "Right?"]],
      questions: {},
    }),
});

const HOOK = { url: "https://hooks.example" };
const PAYLOAD = {
  commit_hash: "0".repeat(40),
  created_at: "2026-01-01T00:00:00Z",
  created_by: "ada",
  event: "commit",
  manifest: {},
  prompt_id: ID,
  prompt_name: "p",
};
const hooks = (w) => w.client.promptWebhooks;

refusedCalls(MISSING, "Observatory sends nothing to other servers when a prompt changes", {
  "promptWebhooks.create": (w) => hooks(w).create(HOOK),
  "promptWebhooks.retrieve": (w) => hooks(w).retrieve(ID),
  "promptWebhooks.update": (w) => hooks(w).update(ID, HOOK),
  "promptWebhooks.list": (w) => all(hooks(w).list()),
  "promptWebhooks.delete": (w) => hooks(w).delete(ID),
  "promptWebhooks.test": (w) => hooks(w).test({ payload: PAYLOAD, webhook: HOOK }),
});

refusedCalls(MISSING, "issues found by the vendor's agents are no part of Observatory", {
  "issues.list": (w) => all(w.client.issues.list()),
  "issues.retrieve": (w) => w.client.issues.retrieve(ID),
});

refusedCalls(MISSING, "these are words for the vendor about the vendor's product", {
  "productFeedback.create": (w) =>
    w.client.productFeedback.create({ category: "BUG", message: "m", source: "LANGSMITH_CLI" }),
  "productFeedback.retrieve": (w) => w.client.productFeedback.retrieve(ID),
});

refusedCalls(MISSING, "SQL from outside is not run; runs are asked for with `filter`, and exported", {
  "sql.query": (w) => w.client.sql.query({ project_ids: [ID], query: "select 1" }),
});

refusedCalls(MISSING, "sandboxes that run code are no part of Observatory", {
  "fleet.threads.activateSandbox": (w) => w.client.fleet.threads.activateSandbox(ID),
});
