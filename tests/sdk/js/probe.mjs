// node probe.mjs declared: the SDK's public methods and what the probes declare of them.
// node probe.mjs seen:     runs the probes against a live server and prints what they saw.
import { readdirSync } from "node:fs";
import { PROBES, World, outcome } from "./probes/declared.mjs";
import { javascriptMethods } from "./surface.mjs";

const files = readdirSync(new URL("./probes/", import.meta.url)).sort();
for (const file of files) {
  const before = PROBES.length;
  await import(`./probes/${file}`);
  for (const probe of PROBES.slice(before)) probe.file = file;
}

async function seen({ methods, call }) {
  const world = new World();
  try {
    await call(world);
    return { methods, seen: "works", told: "", noted: [...world.noted] };
  } catch (error) {
    const told = String(error.stack ?? error);
    return { methods, seen: outcome(error), told, noted: [...world.noted] };
  }
}

const [, , what, only = ""] = process.argv;
if (what === "declared") {
  const declared = PROBES.map(({ methods, seen, why, file }) => ({ methods, seen, why, file }));
  console.log(JSON.stringify({ methods: javascriptMethods(), declared }));
} else {
  const asked = PROBES.filter(({ methods }) => methods.some((method) => method.includes(only)));
  const told = [];
  for (const probe of asked) told.push(await seen(probe));
  console.log(JSON.stringify(told));
}
process.exit(0);
