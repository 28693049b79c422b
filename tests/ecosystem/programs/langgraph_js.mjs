// A LangGraph agent in JavaScript, traced by the variables alone.
import { createReactAgent } from "@langchain/langgraph/prebuilt";
import { ChatOpenAI } from "@langchain/openai";
import { tool } from "@langchain/core/tools";
import { awaitAllCallbacks } from "@langchain/core/callbacks/promises";
import { z } from "zod";

const findOrder = tool(async ({ order }) => `order ${order}: shipped`, {
  name: "find_order",
  description: "Return the state of an order",
  schema: z.object({ order: z.string() }),
});
const llm = new ChatOpenAI({
  model: "gpt-4o-mini",
  configuration: { baseURL: process.env.OPENAI_BASE_URL },
});
const agent = createReactAgent({ llm, tools: [findOrder], name: "support" });
const state = await agent.invoke(
  { messages: [{ role: "user", content: "Where is order a7?" }] },
  { metadata: { thread_id: "t-graph-js" } },
);
console.log(state.messages.at(-1).content);
await awaitAllCallbacks();
