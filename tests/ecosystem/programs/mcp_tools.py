"""langsmith-mcp-server over stdio: every tool that reads, with the arguments an agent sends."""

import asyncio
import json
import os
import sys

from langchain_core.prompts import ChatPromptTemplate
from langsmith import Client, traceable
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

client = Client()
project = os.environ["LANGSMITH_PROJECT"]


@traceable(name="turn", run_type="llm", client=client)
def turn(messages: list) -> dict:
    return {"message": {"role": "assistant", "content": "Refunds take five working days."}}


for question in ("When do I get my money?", "And now?"):
    messages = [{"role": "user", "content": question}]
    turn(messages, langsmith_extra={"metadata": {"thread_id": "t-mcp"}})
client.flush()
dataset = client.create_dataset("mcp examples")
example = client.create_example(
    inputs={"question": "Refund?"}, outputs={"answer": "Five days."}, dataset_id=dataset.id
)
client.create_project("mcp experiment", reference_dataset_id=dataset.id)
client.push_prompt("mcp-prompt", object=ChatPromptTemplate.from_template("{question}"))
run = next(client.list_runs(project_name=project, is_root=True))

CALLS = {
    "list_prompts": {},
    "get_prompt_by_name": {"prompt_name": "mcp-prompt"},
    "get_thread_history": {"thread_id": "t-mcp", "project_name": project, "page_number": 1},
    "fetch_runs": {"project_name": project, "limit": 5, "page_number": 1},
    "list_projects": {"limit": 5},
    "list_experiments": {"reference_dataset_id": str(dataset.id)},
    "list_datasets": {},
    "list_examples": {"dataset_id": str(dataset.id)},
    "read_dataset": {"dataset_id": str(dataset.id)},
    "read_example": {"example_id": str(example.id)},
}


async def main() -> None:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "langsmith_mcp_server.server"], env=dict(os.environ)
    )
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        offered = {tool.name for tool in (await session.list_tools()).tools}
        answers = {}
        for name, arguments in CALLS.items():
            assert name in offered, (name, offered)
            result = await session.call_tool(name, arguments)
            text = "".join(part.text for part in result.content)
            answers[name] = {"is_error": result.isError, "text": text}
    print(json.dumps({"answers": answers, "run": str(run.id), "example": str(example.id)}))


asyncio.run(main())
