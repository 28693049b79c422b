// Traced calls whose runs the programs give feedback on.
import { Client, RunTree } from "langsmith";
import { getCurrentRunTree, traceable } from "langsmith/traceable";

export const client = new Client();

/** Run one traced step and return the id of its run; `options` go to traceable. */
export async function traced(name, inputs, outputs, options = {}) {
  const step = traceable(async () => ({ ...outputs, run_id: getCurrentRunTree().id }), {
    name,
    client,
    ...options,
  });
  const { run_id } = await step(inputs);
  return run_id;
}

export async function all(iterable) {
  const found = [];
  for await (const item of iterable) found.push(item);
  return found;
}

/** Return what a call was refused with, or null when it went through. */
export async function refusal(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { name: error.name, status: error.status ?? null, message: error.message };
  }
}

export function print(document) {
  process.stdout.write(JSON.stringify(document) + "\n");
}

export { Client, RunTree, traceable };
