// Small programs that call every public method of the JavaScript SDK against a live server, and what
// comes of it: works(["readRun"], program) or refused(["agents.list"], "NotFoundError 404", why, ...).
// The compatibility table is written from these declarations; ../probe.mjs runs the programs.
import { randomUUID } from "node:crypto";
import { Client } from "langsmith";
import { isResource } from "../surface.mjs";

export const PROBES = [];
// Programs of these wait until the server answers; whoever builds one removes its line.
export const NOT_YET = {
  "annotationQueues.createRunStatus": 404,
  "annotationQueues.export": 404,
  "annotationQueues.populate": 405,
  "annotationQueues.items.create": 404,
  "annotationQueues.items.createStatus": 404,
  "annotationQueues.items.deleteAll": 404,
  "annotationQueues.items.list": 404,
  "annotationQueues.items.retrieveCount": 404,
  "annotationQueues.items.retrievePlacement": 404,
  "annotationQueues.items.update": 404,
  "annotationQueues.runs.deleteAll": 405,
  "annotationQueues.runs.update": 405,
  "datasets.examples.delete": 404,
  "datasets.examples.updateMetadata": 405,
  "datasets.experimentRuns.query": 404,
  "datasets.listV2": 404,
  "public.runs.query": 404,
  "public.runs.retrieve": 404,
  "runs.getURL": 404,
  "runs.query": 404,
  "runs.queryV2": 404,
  "runs.retrieve": 404,
  "runs.retrieveV2": 404,
  "runs.share.create": 404,
  "runs.share.delete": 404,
  "runs.streaming.queryV2": 404,
  "runs.streaming.queryV2Items": 404,
  "sessions.dashboard": 404,
  "sessions.listV2": 404,
  "sessions.resolve": 404,
  "threads.aggregateStats": 404,
  "threads.listTraces": 404,
  "threads.query": 404,
  "threads.share.create": 404,
  "threads.share.delete": 404,
  "threads.share.retrieve": 404,
  "threads.stats": 404,
  "threads.streaming.query": 404,
  "threads.streaming.queryItems": 404,
  "traces.listRuns": 404,
  "traces.query": 404,
  "traces.streaming.query": 404,
  "traces.streaming.queryItems": 404,
};
const START = Date.now() - 300_000;

export function works(methods, call, why = "") {
  const waits = methods.filter((method) => Object.hasOwn(NOT_YET, method));
  if (waits.length && waits.length < methods.length) throw new Error(`split ${methods}`);
  if (waits.length) return;
  PROBES.push({ methods, call, seen: "works", why });
}

export function refused(methods, seen, why, call) {
  PROBES.push({ methods, call, seen, why });
}

/** One refused probe for each method of a family. */
export function refusedCalls(seen, why, calls) {
  for (const [method, call] of Object.entries(calls)) refused([method], seen, why, call);
}

/** The server took the call and changed nothing. */
export class Ignored extends Error {}

/** An error as the table names it: its name, and its HTTP status if it has one. */
export const outcome = (error) =>
  error.status === undefined
    ? error.constructor.name
    : `${error.constructor.name} ${error.status}`;

export async function all(pieces) {
  const found = [];
  for await (const piece of await pieces) found.push(piece);
  return found;
}

function noting(target, noted, path = "") {
  return new Proxy(target, {
    get(of, name) {
      const value = Reflect.get(of, name, of);
      if (typeof name === "symbol") return value;
      const here = path ? `${path}.${name}` : name;
      if (isResource(value)) return noting(value, noted, here);
      noted.add(here);
      return typeof value === "function" ? value.bind(of) : value;
    },
  });
}

/** What a probe has at hand: a client whose calls are noted, and things to ask about. */
export class World {
  noted = new Set();
  plain = new Client({ autoBatchTracing: false });
  client = noting(new Client({ autoBatchTracing: false }), this.noted);
  since = new Date(START - 86_400_000).toISOString();
  start = new Date(START).toISOString();

  another(options = {}) {
    return noting(new Client(options), this.noted);
  }

  name(of = "probe") {
    return `${of}-${randomUUID().slice(0, 10)}`;
  }

  asSent(more = {}) {
    const id = randomUUID();
    const time = this.start.replace(/[-:.]/g, "").replace("Z", "000Z");
    return {
      id,
      trace_id: id,
      dotted_order: `${time}${id}`,
      name: "answer",
      run_type: "chain",
      start_time: START,
      end_time: START + 2000,
      inputs: { question: "why?" },
      outputs: { answer: "because" },
      project_name: this.name("project"),
      session_name: more.project_name,
      ...more,
    };
  }

  /** A finished run, stored; returns it as the SDK reads it. */
  async run(more = {}) {
    const { session_name, ...run } = this.asSent(more);
    await this.plain.createRun(run);
    return this.plain.readRun(run.id);
  }

  /** A dataset of three examples. */
  async dataset() {
    const dataset = await this.plain.createDataset(this.name("dataset"));
    const examples = await this.plain.createExamples(
      [0, 1, 2].map((x) => ({
        inputs: { x },
        outputs: { y: x * x },
        split: x ? "test" : "train",
        dataset_id: dataset.id,
      })),
    );
    return { id: dataset.id, examples };
  }

  /** A queue that holds the runs. */
  async queue(...runIds) {
    const queue = await this.plain.createAnnotationQueue({ name: this.name("queue") });
    if (runIds.length) await this.plain.addRunsToAnnotationQueue(queue.id, runIds);
    return queue;
  }

  /** A queue of one run, with the id of its item. */
  async queued() {
    const run = await this.run();
    const queue = await this.queue(run.id);
    const [item] = await all(this.plain.listRunsFromAnnotationQueue(queue.id));
    return { run, queue, item: item.queue_run_id };
  }

  /** An experiment over a dataset: a run of each example, and a score of it. */
  async experiment(dataset) {
    const of = dataset ?? (await this.dataset());
    const project = await this.plain.createProject({
      projectName: this.name("experiment"),
      referenceDatasetId: of.id,
    });
    for (const example of of.examples) {
      await this.run({
        project_name: project.name,
        reference_example_id: example.id,
        inputs: example.inputs,
        outputs: example.outputs,
      });
    }
    return { project, dataset: of };
  }
}
