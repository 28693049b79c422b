"""Spans by the real exporters of OpenTelemetry and of the SDK's own OpenTelemetry modes."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from langsmith import Client

from tests.live import Live
from tests.sdk import versions

pytestmark = pytest.mark.sdk
BY_THE_NEWEST = pytest.mark.parametrize("release", [versions.NEWEST])


def project() -> str:
    return f"otel-{uuid4().hex[:8]}"


def runs_of(client: Client, name: str) -> dict[str, Any]:
    return {run.name: run for run in client.list_runs(project_name=name)}


# No LangSmith SDK takes part, so that one run is enough.
@BY_THE_NEWEST
@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1"])
def test_the_exporter_of_opentelemetry(
    run_python, client: Client, server: Live, compression, prefix
) -> None:
    name = project()
    told = run_python(
        "opentelemetry_exporter",
        name,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"{server.url}{prefix}/otel",
        OTEL_EXPORTER_OTLP_HEADERS=f"x-api-key={server.key},Langsmith-Project={name}",
        OTEL_EXPORTER_OTLP_COMPRESSION=compression,
        OTEL_SERVICE_NAME="shop",
    )
    runs = runs_of(client, name)
    agent, chat, lookup = runs["agent"], runs["chat gpt-4o"], runs["lookup"]
    assert agent.id == agent.trace_id == UUID(told["trace"])
    assert chat.parent_run_id == lookup.parent_run_id == agent.id
    assert chat.dotted_order.startswith(f"{agent.dotted_order}.")
    assert chat.run_type == "llm"
    assert chat.inputs == {"messages": [{"role": "user", "content": "6 x 7?"}]}
    assert chat.outputs == {"messages": [{"role": "assistant", "content": "42"}]}
    assert (chat.prompt_tokens, chat.completion_tokens, chat.total_tokens) == (5, 1, 6)
    assert lookup.status == "error"
    assert lookup.error.startswith("LookupError: no such order")
    assert agent.metadata["service.name"] == "shop"
    assert agent.metadata["session_id"] == "conversation-7"
    read = client.read_run(agent.id, load_child_runs=True)
    assert [child.name for child in read.child_runs] == ["chat gpt-4o", "lookup"]


def test_the_python_sdk_over_opentelemetry_alone(run_python, client: Client) -> None:
    name = project()
    # The mode has had a name of its own only since; a year ago it was what two flags said.
    a_year_ago = {"LANGSMITH_OTEL_ENABLED": "true", "LANGSMITH_OTEL_ONLY": "true"}
    run_python("langsmith_over_otel", name, LANGSMITH_TRACING_MODE="otel", **a_year_ago)
    runs = runs_of(client, name)
    assert set(runs) == {"agent", "model", "broken"}
    agent, model = runs["agent"], runs["model"]
    assert model.parent_run_id == agent.id
    assert model.trace_id == agent.trace_id == agent.id
    assert agent.inputs == {"question": "6 x 7?"}
    assert agent.outputs == {"output": "42"}
    assert (model.run_type, model.total_tokens) == ("llm", 6)
    assert agent.tags == ["a", "b"]
    assert agent.metadata["customer"] == "c9"
    assert model.metadata["ls_model_name"] == "gpt-4o"
    assert "no soup" in runs["broken"].error
    feedback = client.create_feedback(agent.id, "correct", score=1)
    assert feedback.run_id == agent.id


# The SDK of a year ago sends no spans in this mode where runs may come compressed.
@BY_THE_NEWEST
def test_the_python_sdk_in_its_legacy_otel_mode_sends_both_ways(run_python, client: Client) -> None:
    """LANGSMITH_OTEL_ENABLED is `hybrid`: each run comes as a run, and as a span under a new id."""
    name = project()
    known = run_python("langsmith_over_otel", name, LANGSMITH_OTEL_ENABLED="true")
    found = list(client.list_runs(project_name=name))
    assert sorted(run.name for run in found) == sorted(2 * ["agent", "model", "broken"])
    as_runs = {str(run.id) for run in found if "OTEL_SPAN_ID" not in run.metadata}
    assert as_runs >= set(known.values())
    assert len(as_runs) == 3


# The processor of a year ago has no set_metadata.
@BY_THE_NEWEST
def test_the_span_processor_of_the_sdk(run_python, client: Client) -> None:
    name = project()
    run_python("span_processor", name)
    runs = runs_of(client, name)
    assert runs["inner"].parent_run_id == runs["outer"].id
    assert runs["inner"].inputs == {"question": "6 x 7?"}
    assert runs["inner"].outputs == {"answer": "42"}
    assert {run.metadata["thread_id"] for run in runs.values()} == {"conversation-9"}
