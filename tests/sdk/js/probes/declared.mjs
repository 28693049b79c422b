// Small programs that call every public method of the JavaScript SDK against a live server, and what
// comes of it: works(["readRun"], program) or refused(["agents.list"], "NotFoundError 404", why, ...).
// The compatibility table is written from these declarations; ../probe.mjs runs the programs, those of
// resources (runs.query) with the default export, too.
import { randomUUID } from "node:crypto";
import Langsmith, { Client } from "langsmith";
import { isResource } from "../surface.mjs";

export const PROBES = [];
const START = Date.now() - 300_000;

export function works(methods, call, why = "") {
  PROBES.push({ methods, call, seen: "works", why });
}

export function refused(methods, seen, why, call) {
  PROBES.push({ methods, call, seen, why });
}

/** One refused probe for each method of a family. */
export function refusedCalls(seen, why, calls) {
  for (const [method, call] of Object.entries(calls)) refused([method], seen, why, call);
}

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

/** The default export asks /api/v1/... and /api/v2/... of its address. */
const generated = () =>
  new Langsmith({
    baseURL: process.env.LANGSMITH_ENDPOINT.replace(/\/api$/, ""),
    apiKey: process.env.LANGSMITH_API_KEY,
  });

/** What a probe has at hand: a client whose calls are noted, and things to ask about. */
export class World {
  noted = new Set();
  plain = new Client({ autoBatchTracing: false });
  since = new Date(START - 86_400_000).toISOString();
  start = new Date(START).toISOString();

  constructor(kind) {
    const made = kind === "default export" ? generated() : new Client({ autoBatchTracing: false });
    this.client = noting(made, this.noted);
  }

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
