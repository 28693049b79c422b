"""A pydantic-ai agent with a tool and a structured answer, by OpenTelemetry's own exporter."""

import asyncio
import os

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic import BaseModel
from pydantic_ai import Agent, InstrumentationSettings
from pydantic_ai.models.openai import OpenAIChatModel


class Refund(BaseModel):
    days: int
    reason: str


provider = TracerProvider(resource=Resource.create({"service.name": "pydantic-ai"}))
exporter = OTLPSpanExporter(
    endpoint=os.environ["LANGSMITH_ENDPOINT"] + "/otel/v1/traces",
    headers={
        "x-api-key": os.environ["LANGSMITH_API_KEY"],
        "Langsmith-Project": os.environ["LANGSMITH_PROJECT"],
    },
)
provider.add_span_processor(BatchSpanProcessor(exporter))
Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
agent = Agent(OpenAIChatModel("gpt-4o-mini"), name="support", instructions="Be brief.")


@agent.tool_plain
def find_order(order: str) -> str:
    """Return the state of an order."""
    return f"order {order}: shipped"


structured = Agent(OpenAIChatModel("gpt-4o-mini"), name="refunds", output_type=Refund)


async def main() -> None:
    print((await agent.run("Where is order a7?")).output)
    print((await structured.run("How long does it take?")).output)


asyncio.run(main())
provider.shutdown()
