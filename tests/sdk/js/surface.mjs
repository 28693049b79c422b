// The public surface of the installed JavaScript SDK. A method is named as a person writes it after
// the client: createRun, runs.share.create. What the typings call private is not public.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Langsmith, { Client } from "langsmith";

const PRIVATE = /^\s+(?:private|protected)\s+(?:static\s+|readonly\s+|get\s+)*(\w+)/gm;

/** Is it a part of a client that has methods of its own: client.runs? */
export const isResource = (value) =>
  typeof value === "object" && value !== null && "_client" in value;

function names(thing) {
  const found = new Set(Object.keys(thing));
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(thing))) found.add(name);
  return [...found].filter((name) => !name.startsWith("_") && name !== "constructor").sort();
}

function* methods(resource, path) {
  for (const name of names(resource)) {
    const value = resource[name];
    if (isResource(value)) yield* methods(value, `${path}.${name}`);
    else if (typeof value === "function") yield `${path}.${name}`;
  }
}

export function javascriptMethods() {
  const file = fileURLToPath(import.meta.resolve("langsmith/client"));
  const typings = readFileSync(file.replace(/\.m?js$/, ".d.ts"), "utf8");
  const hidden = new Set([...typings.matchAll(PRIVATE)].map((match) => match[1]));
  const offline = new Client({ apiUrl: "http://127.0.0.1:1/api", apiKey: "none" });
  const found = [];
  for (const name of Object.getOwnPropertyNames(Client.prototype).sort()) {
    if (name.startsWith("_") || name === "constructor" || hidden.has(name)) continue;
    const value = offline[name];
    if (isResource(value)) found.push(...methods(value, name));
    else found.push(name);
  }
  return found;
}

/** The methods of the resources of the default export; its own verbs send what they are given. */
export function generatedMethods() {
  const offline = new Langsmith({ baseURL: "http://127.0.0.1:1", apiKey: "none" });
  const resources = names(offline).filter((name) => isResource(offline[name]));
  return resources.flatMap((name) => [...methods(offline[name], name)]);
}
