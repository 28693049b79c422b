// node probe.mjs declared: the public methods of both clients and what the probes declare of them.
// node probe.mjs seen:     runs the probes with each client against a live server and prints what
//                          they saw.
import { readdirSync } from "node:fs";
import { PROBES, World, outcome } from "./probes/declared.mjs";
import { generatedMethods, javascriptMethods } from "./surface.mjs";

const files = readdirSync(new URL("./probes/", import.meta.url)).sort();
for (const file of files) {
  const before = PROBES.length;
  await import(`./probes/${file}`);
  for (const probe of PROBES.slice(before)) probe.file = file;
}

// A pipe takes 64 KiB at once: process.exit before the rest is read would cut the answer.
const print = (value) =>
  new Promise((written) => process.stdout.write(`${JSON.stringify(value)}\n`, written));

const METHODS = { JavaScript: javascriptMethods(), "default export": generatedMethods() };

async function seen(kind, called, call) {
  const world = new World(kind);
  const told = { kind, methods: called, noted: world.noted, seen: "works", told: "" };
  try {
    await call(world);
  } catch (error) {
    Object.assign(told, { seen: outcome(error), told: String(error.stack ?? error) });
  }
  return { ...told, noted: [...world.noted] };
}

const [, , what, only = ""] = process.argv;
if (what === "declared") {
  const declared = PROBES.map(({ methods, seen, why, file }) => ({ methods, seen, why, file }));
  await print({ methods: METHODS, declared });
} else {
  const asked = PROBES.filter(({ methods }) => methods.some((method) => method.includes(only)));
  const told = [];
  for (const { methods, call } of asked) {
    for (const [kind, known] of Object.entries(METHODS)) {
      const called = methods.filter((method) => known.includes(method));
      if (called.length) told.push(await seen(kind, called, call));
    }
  }
  await print(told);
}
process.exit(0);
