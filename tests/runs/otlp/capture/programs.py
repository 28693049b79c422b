"""Programs whose spans are the fixtures: the same conversation by each framework and exporter.

`python -m tests.runs.otlp.capture.programs NAME` in an environment that has its packages.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.runs.otlp.capture import models, spans

SYSTEM = "Be brief."
QUESTION = "What is the weather in Paris, and how warm is Rome?"
FAILING = "Please fail."
NEWEST_CONVENTIONS = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only",
}
TOOL = {
    "name": "weather",
    "description": "Return the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}

RECEIVED: list[bytes] = []  # the bodies of the requests for traces


def weather(city: str) -> str:
    """Return the weather of a city."""
    return '{"sky": "sunny"}' if city == "Paris" else "18"


class Memory:
    """A provider whose finished spans are kept."""

    def __init__(self) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self.exporter = InMemorySpanExporter()
        self.processor = SimpleSpanProcessor(self.exporter)
        self.provider = TracerProvider(resource=Resource.create({"service.name": "weather"}))
        self.provider.add_span_processor(self.processor)

    def save(self, name: str, *packages: str) -> None:
        finished = self.exporter.get_finished_spans()
        spans.save(name, spans.of_memory(finished), spans.versions(*packages))


def pydantic_ai(url: str, name: str = "pydantic_ai", **named: Any) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    memory = Memory()
    Agent.instrument_all(InstrumentationSettings(tracer_provider=memory.provider, **named))
    provider = OpenAIProvider(base_url=f"{url}/v1", api_key="k")
    model = OpenAIChatModel("gpt-4o-mini", provider=provider)
    agent = Agent(model, system_prompt=SYSTEM, tools=[weather], name="forecaster")
    first = agent.run_sync(QUESTION)
    agent.run_sync("And tomorrow?", message_history=first.all_messages())
    with contextlib.suppress(Exception):
        agent.run_sync(FAILING)
    memory.save(name, "pydantic-ai-slim", "opentelemetry-sdk")


def pydantic_ai_version_6(url: str) -> None:
    pydantic_ai(url, "pydantic_ai_version_6", version=6)


def pydantic_ai_of_2025(url: str) -> None:
    """The first format: every message is an event, all of them are in one attribute."""
    pydantic_ai(url, "pydantic_ai_of_2025", version=1, event_mode="attributes")


def openai_conversation(client: Any, **named: Any) -> None:
    """Ask by OpenAI's client, answer its tool calls, and fail once."""
    turns: list[Any] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": QUESTION, "name": "ada"},
    ]
    ask = client.chat.completions.create
    tools = [{"type": "function", "function": TOOL}]
    answer = ask(model="gpt-4o-mini", messages=turns, tools=tools, temperature=0.5, **named)
    message = answer.choices[0].message
    turns.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls:
        content = weather(json.loads(call.function.arguments)["city"])
        turns.append({"role": "tool", "tool_call_id": call.id, "content": content})
    ask(model="gpt-4o-mini", messages=turns, tools=tools, temperature=0.5, **named)
    with contextlib.suppress(Exception):
        ask(model="gpt-4o-mini", messages=[{"role": "user", "content": FAILING}], **named)


def openai_client(url: str) -> Any:
    from openai import OpenAI

    return OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)


def openinference_openai(url: str) -> None:
    from openinference.instrumentation import using_attributes
    from openinference.instrumentation.openai import OpenAIInstrumentor

    memory = Memory()
    OpenAIInstrumentor().instrument(tracer_provider=memory.provider)
    with using_attributes(
        session_id="thread-7", user_id="ada", metadata={"tier": "gold"}, tags=["a"]
    ):
        openai_conversation(openai_client(url))
    memory.save("openinference_openai", "openinference-instrumentation-openai", "openai")


def langgraph_agent(url: str) -> None:
    from langchain.agents import create_agent
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-4o-mini", base_url=f"{url}/v1", api_key="k", max_retries=0)
    agent = create_agent(model, tools=[weather], system_prompt=SYSTEM)
    config = {"metadata": {"thread_id": "thread-7"}}
    agent.invoke({"messages": [{"role": "user", "content": QUESTION, "name": "ada"}]}, config)
    with contextlib.suppress(Exception):
        agent.invoke({"messages": [{"role": "user", "content": FAILING}]}, config)


def openinference_langchain(url: str) -> None:
    from openinference.instrumentation import using_session
    from openinference.instrumentation.langchain import LangChainInstrumentor

    memory = Memory()
    LangChainInstrumentor().instrument(tracer_provider=memory.provider)
    with using_session("thread-7"):
        langgraph_agent(url)
    packages = ("openinference-instrumentation-langchain", "langchain", "langgraph")
    memory.save("openinference_langchain", *packages)


def agents_conversation(url: str) -> None:
    from agents import Agent, OpenAIResponsesModel, Runner, function_tool
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
    model = OpenAIResponsesModel(model="gpt-4o-mini", openai_client=client)
    agent = Agent(
        name="forecaster", instructions=SYSTEM, model=model, tools=[function_tool(weather)]
    )
    asyncio.run(Runner.run(agent, QUESTION))
    with contextlib.suppress(Exception):
        asyncio.run(Runner.run(agent, FAILING))


def openinference_agents(url: str) -> None:
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    memory = Memory()
    OpenAIAgentsInstrumentor().instrument(tracer_provider=memory.provider)
    agents_conversation(url)
    packages = ("openinference-instrumentation-openai-agents", "openai-agents")
    memory.save("openinference_agents", *packages)


def openinference_anthropic(url: str) -> None:
    from anthropic import Anthropic
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    memory = Memory()
    AnthropicInstrumentor().instrument(tracer_provider=memory.provider)
    anthropic_conversation(Anthropic(base_url=url, api_key="k", max_retries=0))
    memory.save("openinference_anthropic", "openinference-instrumentation-anthropic", "anthropic")


def anthropic_conversation(client: Any) -> None:
    tool = {k: TOOL[k] for k in ("name", "description")} | {"input_schema": TOOL["parameters"]}
    turns: list[Any] = [{"role": "user", "content": QUESTION}]
    named = {"model": "claude-sonnet-4-20250514", "max_tokens": 100, "system": SYSTEM}
    answer = client.messages.create(messages=turns, tools=[tool], **named)
    turns.append({"role": "assistant", "content": [block.model_dump() for block in answer.content]})
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": weather(block.input["city"])}
        for block in answer.content
    ]
    turns.append({"role": "user", "content": results})
    client.messages.create(messages=turns, tools=[tool], **named)
    with contextlib.suppress(Exception):
        client.messages.create(messages=[{"role": "user", "content": FAILING}], **named)


def logfire_openai(url: str) -> None:
    import logfire

    memory = Memory()
    logfire.configure(
        send_to_logfire=False,
        console=False,
        service_name="weather",
        additional_span_processors=[memory.processor],
    )
    client = openai_client(url)
    logfire.instrument_openai(client)
    with (
        logfire.set_baggage(session_id="thread-7"),
        logfire.span("answer {question}", question=QUESTION) as root,
    ):
        openai_conversation(client)
        root.set_attribute("answer", models.ANSWER)
    with contextlib.suppress(ZeroDivisionError), logfire.span("fail {why}", why="on purpose"):
        1 / 0  # noqa: B018
    client.responses.create(model="gpt-4o-mini", input=QUESTION, instructions=SYSTEM)
    logfire_function(QUESTION)
    memory.save("logfire_openai", "logfire", "openai")


def logfire_function(question: str) -> str:
    import logfire

    @logfire.instrument("ask {question}", record_return=True)
    def ask(question: str) -> str:
        return f"You asked: {question}"

    return ask(question)


def opentelemetry_openai(url: str) -> None:
    """Contents as attributes of spans, by the newest conventions."""
    os.environ |= NEWEST_CONVENTIONS
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    memory = Memory()
    OpenAIInstrumentor().instrument(tracer_provider=memory.provider)
    openai_conversation(openai_client(url))
    memory.save("opentelemetry_openai", "opentelemetry-instrumentation-openai-v2", "openai")


def gemini_conversation(url: str) -> None:
    from google import genai
    from google.genai import types

    client = genai.Client(api_key="k", http_options=types.HttpOptions(base_url=url))
    config = types.GenerateContentConfig(
        system_instruction=SYSTEM, tools=[weather], temperature=0.5
    )
    client.models.generate_content(model="gemini-2.5-flash", contents=QUESTION, config=config)
    with contextlib.suppress(Exception):
        client.models.generate_content(model="gemini-2.5-flash", contents=FAILING)


def opentelemetry_google_genai(url: str) -> None:
    os.environ |= NEWEST_CONVENTIONS
    from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor

    memory = Memory()
    GoogleGenAiSdkInstrumentor().instrument(tracer_provider=memory.provider)
    gemini_conversation(url)
    packages = ("opentelemetry-instrumentation-google-genai", "google-genai")
    memory.save("opentelemetry_google_genai", *packages)


def traceloop_openai_of_2025(url: str) -> None:
    """Before the conventions: a message is several attributes."""
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    memory = Memory()
    OpenAIInstrumentor().instrument(tracer_provider=memory.provider)
    openai_conversation(openai_client(url))
    memory.save("traceloop_openai_of_2025", "opentelemetry-instrumentation-openai", "openai")


def traceloop_openai(url: str) -> None:
    from traceloop.sdk import Traceloop
    from traceloop.sdk.decorators import tool, workflow
    from traceloop.sdk.instruments import Instruments

    memory = Memory()
    Traceloop.init(
        app_name="weather",
        disable_batch=True,
        exporter=memory.exporter,
        telemetry_enabled=False,
        instruments={Instruments.OPENAI},
    )
    Traceloop.set_association_properties({"session_id": "thread-7", "user_id": "ada"})

    @tool(name="look_up")
    def look_up(city: str) -> str:
        return weather(city)

    @workflow(name="answer")
    def answer(question: str) -> str:
        openai_conversation(openai_client(url))
        look_up("Paris")
        return f"You asked: {question}"

    @workflow(name="broken")
    def broken(question: str) -> str:
        raise ValueError(f"No answer to {question}")

    answer(QUESTION)
    with contextlib.suppress(ValueError):
        broken(FAILING)
    packages = ("traceloop-sdk", "opentelemetry-instrumentation-openai", "openai")
    memory.save("traceloop_openai", *packages)


def langfuse_openai(url: str) -> None:
    """Langfuse's decorator, its own observations, and its drop-in for OpenAI's client."""
    os.environ |= {"LANGFUSE_PUBLIC_KEY": "pk", "LANGFUSE_SECRET_KEY": "sk", "LANGFUSE_HOST": url}
    from langfuse import get_client, observe, propagate_attributes
    from langfuse.openai import OpenAI

    memory = Memory()
    langfuse = get_client()
    langfuse._resources.tracer_provider.add_span_processor(memory.processor)

    @observe(as_type="tool")
    def look_up(city: str) -> str:
        return weather(city)

    @observe(as_type="agent", name="forecaster")
    def answer(question: str) -> str:
        with propagate_attributes(session_id="thread-7", user_id="ada", tags=["a"]):
            openai_conversation(OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0))
            look_up("Paris")
            look_up(city="Rome")
        return models.ANSWER

    @observe()
    def broken(question: str) -> str:
        raise ValueError(f"No answer to {question}")

    answer(QUESTION)
    with contextlib.suppress(ValueError):
        broken(FAILING)
    with langfuse.start_as_current_observation(as_type="generation", name="by hand") as one:
        one.update(
            input=[{"role": "user", "content": QUESTION}],
            output='{"sky": "sunny"}',
            model="gpt-4o-mini",
            usage_details={"input": 120, "output": 30, "input_cached_tokens": 80},
            cost_details={"input": 0.01, "output": 0.02, "total": 0.03},
            level="ERROR",
            status_message="Not quite",
        )
    memory.save("langfuse_openai", "langfuse", "openai")


def mlflow_openai(url: str) -> None:
    os.environ |= {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{url}/v1/traces",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    import mlflow

    mlflow.openai.autolog()

    @mlflow.trace(name="look_up", span_type="TOOL")
    def look_up(city: str) -> str:
        return weather(city)

    @mlflow.trace(name="forecaster", span_type="AGENT")
    def answer(question: str) -> str:
        mlflow.update_current_trace(
            metadata={"mlflow.trace.session": "thread-7", "mlflow.trace.user": "ada"}
        )
        openai_conversation(openai_client(url))
        look_up("Paris")
        look_up("Rome")
        return models.ANSWER

    @mlflow.trace
    def broken(question: str) -> str:
        raise ValueError(f"No answer to {question}")

    answer(QUESTION)
    with contextlib.suppress(ValueError):
        broken(FAILING)
    mlflow.flush_trace_async_logging()
    time.sleep(3)  # the spans are sent every 100 ms
    spans.save(
        "mlflow_openai", spans.of_bodies(RECEIVED), spans.versions("mlflow-skinny", "openai")
    )


def google_adk_of_2025(url: str) -> None:
    """The first schema: the whole request in one attribute of ADK's own."""
    os.environ["ADK_TELEMETRY_SCHEMA_VERSION_OPT_IN"] = "1"
    google_adk(url, "google_adk_of_2025", newest={})


def google_adk(
    url: str, name: str = "google_adk", newest: dict[str, str] = NEWEST_CONVENTIONS
) -> None:
    from opentelemetry import trace

    os.environ |= {"GOOGLE_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": url} | newest
    memory = Memory()
    trace.set_tracer_provider(memory.provider)
    from google.adk.agents import LlmAgent
    from google.adk.runners import InMemoryRunner
    from google.genai import types

    agent = LlmAgent(
        name="forecaster", model="gemini-2.5-flash", instruction=SYSTEM, tools=[weather]
    )
    runner = InMemoryRunner(agent=agent, app_name="weather")

    async def ask(question: str, session: str) -> None:
        await runner.session_service.create_session(
            app_name="weather", user_id="ada", session_id=session
        )
        said = types.Content(role="user", parts=[types.Part(text=question)])
        async for _ in runner.run_async(user_id="ada", session_id=session, new_message=said):
            pass

    asyncio.run(ask(QUESTION, "thread-7"))
    with contextlib.suppress(Exception):
        asyncio.run(ask(FAILING, "thread-8"))
    memory.save(name, "google-adk", "google-genai")


def strands_agent(url: str) -> None:
    from opentelemetry import trace
    from strands import Agent, tool
    from strands.models.openai import OpenAIModel

    memory = Memory()
    trace.set_tracer_provider(memory.provider)
    model = OpenAIModel(
        client_args={"base_url": f"{url}/v1", "api_key": "k", "max_retries": 0},
        model_id="gpt-4o-mini",
    )

    @tool(name="weather")
    def look_up(city: str) -> str:
        """Return the weather of a city."""
        return weather(city)

    agent = Agent(
        model=model,
        system_prompt=SYSTEM,
        tools=[look_up],
        callback_handler=None,
        trace_attributes={"session.id": "thread-7", "user.id": "ada"},
    )
    agent(QUESTION)
    with contextlib.suppress(Exception):
        Agent(model=model, callback_handler=None)(FAILING)
    memory.save("strands_agent", "strands-agents", "openai")


def vercel(url: str, name: str, folder: str, *more: str) -> None:
    """Run vercel.mjs in `folder`, which has its packages, and keep what it sends."""
    program = Path(folder) / "vercel.mjs"
    program.write_text((Path(__file__).parent / "vercel.mjs").read_text())
    subprocess.run(["node", program.name, url, *more], cwd=folder, check=True)
    locked = json.loads((Path(folder) / "package-lock.json").read_text())["packages"]
    named = ("ai", "@ai-sdk/otel", "@opentelemetry/sdk-trace-node")
    made_by = {
        n: locked[f"node_modules/{n}"]["version"] for n in named if f"node_modules/{n}" in locked
    }
    groups = [json.loads(body)["resourceSpans"] for body in RECEIVED]
    spans.save(name, {"resourceSpans": [one for group in groups for one in group]}, made_by)


def main(names: list[str]) -> None:
    """Run the named programs; `vercel NAME FOLDER [legacy]` is the one in JavaScript."""
    with models.serving(RECEIVED) as url:
        if names[0] == "vercel":
            vercel(url, *names[1:])
            return
        for name in names:
            globals()[name](url)


if __name__ == "__main__":
    main(sys.argv[1:])
