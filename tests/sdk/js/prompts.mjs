// Prompts as the JavaScript SDK pushes, pulls, lists and deletes them.
import { all, client, print, refusal } from "./observed.mjs";

const name = `greeting-${process.env.LANGSMITH_PROJECT}`;
const manifest = (text) => ({
  lc: 1,
  type: "constructor",
  id: ["langchain", "prompts", "prompt", "PromptTemplate"],
  kwargs: { input_variables: ["q"], template: text, template_format: "f-string" },
});
const before = await client.promptExists(name);
const missing = await client.getPrompt(name);
const early = await refusal(() => client.createCommit(name, manifest("0 {q}")));
const url = await client.pushPrompt(name, {
  object: manifest("1 {q}"),
  description: "d",
  readme: "r",
  tags: ["t"],
  isPublic: false,
});
await client.pushPrompt(name, { object: manifest("2 {q}"), isPublic: true });
const short = url.split("/").at(-1).split("?")[0];
const first = await client.pullPromptCommit(`${name}:${short}`, { includeModel: true });
const latest = await client.pullPromptCommit(name, { skipCache: true });
const same = await refusal(() => client.createCommit(name, manifest("2 {q}")));
const stale = await refusal(() =>
  client.createCommit(name, manifest("3 {q}"), { parentCommitHash: short }),
);
const third = await client.createCommit(name, manifest("3 {q}"), {
  parentCommitHash: latest.commit_hash,
});
const updated = await client.updatePrompt(name, {
  description: "new",
  readme: "new r",
  tags: ["a", "b"],
  isPublic: false,
  isArchived: true,
});
const liked = await client.likePrompt(name);
const prompt = await client.getPrompt(name);
const archived = await all(client.listPrompts({ query: name, isArchived: true }));
const standing = await all(client.listPrompts({ query: name }));
const commits = await all(client.listCommits(`-/${name}`));
const unliked = await client.unlikePrompt(name);
const moved = await client.pullPromptCommit(name, { skipCache: true });
const again = await refusal(() => client.createPrompt(name));
await client.deletePrompt(name);
print({
  before,
  missing,
  early,
  url,
  short,
  first,
  latest,
  same,
  stale,
  third,
  updated,
  liked,
  prompt,
  archived,
  standing,
  commits,
  unliked,
  moved,
  again,
  after: await client.promptExists(name),
  gone: await refusal(() => client.pullPromptCommit(name, { skipCache: true })),
});
