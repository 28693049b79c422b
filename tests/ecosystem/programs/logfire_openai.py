"""Logfire's instrumentation of the OpenAI client, exported to Observatory alone."""

import os

import logfire
from openai import OpenAI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint=os.environ["LANGSMITH_ENDPOINT"] + "/otel/v1/traces",
    headers={
        "x-api-key": os.environ["LANGSMITH_API_KEY"],
        "Langsmith-Project": os.environ["LANGSMITH_PROJECT"],
    },
)
logfire.configure(
    send_to_logfire=False,
    console=False,
    service_name="logfire",
    additional_span_processors=[BatchSpanProcessor(exporter)],
)
logfire.instrument_openai()
openai = OpenAI()
messages = [{"role": "user", "content": "When do I get my money?"}]
with logfire.span("support {question}", question="When do I get my money?"):
    answer = openai.chat.completions.create(model="gpt-4o-mini", messages=messages)
    print(answer.choices[0].message.content)
logfire.shutdown()
