"""An application that knows OpenTelemetry only: its SDK, its OTLP exporter, its variables."""

import json
import os

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

# OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS and _COMPRESSION say where and how.
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("shop")

with tracer.start_as_current_span("agent") as agent:
    agent.set_attribute("session.id", "conversation-7")
    with tracer.start_as_current_span("chat gpt-4o") as chat:
        chat.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.input.messages": json.dumps(
                    [{"role": "user", "parts": [{"type": "text", "content": "6 x 7?"}]}]
                ),
                "gen_ai.output.messages": json.dumps(
                    [{"role": "assistant", "parts": [{"type": "text", "content": "42"}]}]
                ),
                "gen_ai.usage.input_tokens": 5,
                "gen_ai.usage.output_tokens": 1,
            }
        )
    provider.force_flush()  # the child arrives in a request of its own, before its parent
    try:
        with tracer.start_as_current_span("lookup"):
            raise LookupError("no such order")
    except LookupError:
        pass
assert provider.force_flush()
provider.shutdown()
print(json.dumps({"trace": f"{agent.get_span_context().trace_id:032x}", "pid": os.getpid()}))
