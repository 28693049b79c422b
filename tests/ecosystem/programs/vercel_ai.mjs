// The Vercel AI SDK, wrapped by the LangSmith SDK: text, stream, tool, structured answer.
import * as ai from "ai";
import { createOpenAI } from "@ai-sdk/openai";
import { Client } from "langsmith";
import { traceable } from "langsmith/traceable";
import { wrapAISDK } from "langsmith/experimental/vercel";
import { z } from "zod";

const client = new Client();
const { generateText, streamText, generateObject } = wrapAISDK(ai, { client });
const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const model = openai.chat("gpt-4o-mini");

const converse = traceable(
  async (question) => {
    const { text } = await generateText({
      model,
      prompt: question,
      tools: {
        find_order: ai.tool({
          description: "Return the state of an order",
          inputSchema: z.object({ order: z.string() }),
          execute: async ({ order }) => `order ${order}: shipped`,
        }),
      },
      stopWhen: ai.stepCountIs(3),
    });
    const streamed = streamText({ model, prompt: question });
    let all = "";
    for await (const piece of streamed.textStream) all += piece;
    const { object } = await generateObject({
      model,
      prompt: question,
      schema: z.object({ days: z.number(), sure: z.boolean() }),
    });
    return { text, all, object };
  },
  { name: "conversation", client },
);
console.log(JSON.stringify(await converse("Where is order a7?")));
await client.awaitPendingTraceBatches();
