"""The OpenAI Agents SDK with the SDK's trace processor."""

import asyncio

from agents import Agent, Runner, function_tool, set_trace_processors
from langsmith import Client
from langsmith.wrappers import OpenAIAgentsTracingProcessor

client = Client()
set_trace_processors([OpenAIAgentsTracingProcessor(client=client)])


@function_tool
def find_order(order: str) -> str:
    """Return the state of an order."""
    return f"order {order}: shipped"


async def main() -> None:
    agent = Agent(name="support", instructions="Be brief.", model="gpt-4o-mini", tools=[find_order])
    print((await Runner.run(agent, "Where is order a7?")).final_output)


asyncio.run(main())
client.flush()
