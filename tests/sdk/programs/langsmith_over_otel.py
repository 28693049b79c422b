"""@traceable, sent by the SDK's own OpenTelemetry exporter (LANGSMITH_TRACING_MODE)."""

import contextlib
import json
import warnings

from langsmith import Client, traceable
from langsmith.run_helpers import get_current_run_tree
from opentelemetry import trace

warnings.simplefilter("ignore")
client = Client()
known = {}


@traceable(
    run_type="llm", client=client, metadata={"ls_model_name": "gpt-4o", "ls_provider": "openai"}
)
def model(question: str) -> dict:
    usage = {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}
    return {"messages": [{"role": "assistant", "content": "42"}], "usage_metadata": usage}


@traceable(client=client, tags=["a", "b"], metadata={"customer": "c9"})
def agent(question: str) -> str:
    known["root"] = str(get_current_run_tree().id)
    return model(question)["messages"][0]["content"]


@traceable(client=client)
def broken(question: str) -> str:
    known["broken"] = str(get_current_run_tree().id)
    raise ValueError("no soup")


agent("6 x 7?")
with contextlib.suppress(ValueError):
    broken("?")
client.flush()
trace.get_tracer_provider().force_flush()
print(json.dumps(known))
