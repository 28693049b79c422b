import assert from "node:assert/strict";
import { all, refusedCalls, works } from "./declared.mjs";

const template = (text) => ({
  lc: 1,
  type: "constructor",
  id: ["langchain", "prompts", "prompt", "PromptTemplate"],
  kwargs: { template: text, input_variables: ["question"], template_format: "f-string" },
});

works(
  ["createPrompt", "getPrompt", "updatePrompt", "promptExists", "listPrompts", "deletePrompt"],
  async (w) => {
    const name = w.name("prompt");
    await w.client.createPrompt(name, { description: "d", tags: ["t"] });
    await w.client.updatePrompt(name, { readme: "r" });
    const read = await w.client.getPrompt(name);
    assert.deepEqual([read.description, read.readme, read.tags], ["d", "r", ["t"]]);
    const listed = await all(w.client.listPrompts({ query: name }));
    assert.deepEqual(listed.map((prompt) => prompt.repo_handle), [name]);
    await w.client.deletePrompt(name);
    assert.equal(await w.client.promptExists(name), false);
  },
);

works(["pushPrompt", "createCommit", "pullPromptCommit", "listCommits"], async (w) => {
  const name = w.name("prompt");
  await w.client.pushPrompt(name, { object: template("Answer {question}"), commitTags: "prod" });
  await w.client.createCommit(name, template("Briefly: {question}"));
  const first = await w.client.pullPromptCommit(`${name}:prod`, { skipCache: true });
  const second = await w.client.pullPromptCommit(name, { skipCache: true });
  assert.equal(first.manifest.kwargs.template, "Answer {question}");
  const listed = await all(w.client.listCommits(name));
  assert.deepEqual(
    listed.map((commit) => commit.commit_hash),
    [second.commit_hash, first.commit_hash],
  );
});

works(["likePrompt", "unlikePrompt"], async (w) => {
  const name = w.name("prompt");
  await w.plain.createPrompt(name);
  assert.deepEqual(await w.client.likePrompt(name), { likes: 1 });
  assert.deepEqual(await w.client.unlikePrompt(name), { likes: 0 });
});

const HUB = "agents and skills are directories of the vendor's hub; Observatory keeps prompts";

works(
  ["agentExists", "skillExists"],
  async (w) => {
    assert.equal(await w.client.agentExists(w.name("agent")), false);
    assert.equal(await w.client.skillExists(w.name("skill")), false);
  },
  `always no: ${HUB}`,
);

const files = { "AGENTS.md": { type: "file", content: "Be kind." } };

refusedCalls("LangSmithNotFoundError 404", HUB, {
  listAgents: (w) => all(w.client.listAgents()),
  listSkills: (w) => all(w.client.listSkills()),
  pullAgent: (w) => w.client.pullAgent("helper"),
  pullSkill: (w) => w.client.pullSkill("helper"),
  pushAgent: (w) => w.client.pushAgent(w.name("agent"), { files }),
  pushSkill: (w) => w.client.pushSkill(w.name("skill"), { files }),
  deleteAgent: (w) => w.client.deleteAgent("helper"),
  deleteSkill: (w) => w.client.deleteSkill("helper"),
});
