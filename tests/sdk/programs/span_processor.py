"""langsmith.integrations.otel: the SDK's span processor in an existing OpenTelemetry setup."""

import json
import os

from langsmith.integrations.otel import OtelSpanProcessor
from opentelemetry.sdk.trace import TracerProvider

processor = OtelSpanProcessor(project=os.environ["LANGSMITH_PROJECT"])
processor.set_metadata({"thread_id": "conversation-9"})
provider = TracerProvider()
provider.add_span_processor(processor)
tracer = provider.get_tracer("shop")
with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner") as inner:
    inner.set_attribute("gen_ai.prompt", json.dumps({"question": "6 x 7?"}))
    inner.set_attribute("gen_ai.completion", json.dumps({"answer": "42"}))
assert processor.force_flush()
provider.shutdown()
print("{}")
