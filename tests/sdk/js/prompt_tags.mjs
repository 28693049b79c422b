// Commits of a prompt with words and tags of their own, which move.
import { all, client, print } from "./observed.mjs";

const name = `tagged-${process.env.LANGSMITH_PROJECT}`;
const manifest = (text) => ({
  lc: 1,
  type: "constructor",
  id: ["langchain", "prompts", "prompt", "PromptTemplate"],
  kwargs: { input_variables: ["q"], template: text, template_format: "f-string" },
});
const pulled = async (tag) =>
  (await client.pullPromptCommit(`${name}:${tag}`, { skipCache: true })).manifest.kwargs.template;
await client.pushPrompt(name, {
  object: manifest("1 {q}"),
  commitTags: "prod",
  commitDescription: "the first",
});
await client.pushPrompt(name, { object: manifest("2 {q}") });
const tagged = await pulled("prod");
await client.createCommit(name, manifest("3 {q}"), {
  tags: ["prod", "best"],
  description: "the third",
});
print({
  tagged,
  moved: [await pulled("prod"), await pulled("best")],
  descriptions: (await all(client.listCommits(name))).map((commit) => commit.description),
});
