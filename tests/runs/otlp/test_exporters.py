"""What real exporters sent, read back: the same conversation by each (fixtures/README.md).

Ada asks for the weather. The model calls a tool twice, gets a text that looks like JSON and one
that looks like a number, and answers. A second question is refused by the provider.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from observatory.runs.ops import RunOp
from observatory.runs.otlp import jsonform
from observatory.runs.otlp.mapping import Mapped, map_span
from observatory.runs.otlp.spans import Span
from tests.runs.otlp.capture.models import ANSWER
from tests.runs.otlp.capture.programs import QUESTION, SYSTEM

FIXTURES = Path(__file__).parent / "fixtures"
CITIES = {"call_paris": "Paris", "call_rome": "Rome"}
RESULTS = {"call_paris": '{"sky": "sunny"}', "call_rome": "18"}
CACHED = {"prompt_token_details": {"cache_read": 80}}
REASONED = {"completion_token_details": {"reasoning": 10}}
QUIET = {"audio": 0}
OPENAI = {
    "prompt_token_details": {"cache_read": 80, **QUIET},
    "completion_token_details": {"reasoning": 10, **QUIET},
}
MODEL = "gpt-4o-mini"


@dataclass(frozen=True)
class Exporter:
    """What is expected of a fixture. `None`: the exporter does not say it.

    `kinds`: how many runs there are of each type. `root`: what the outputs of the first root
    are, `ANSWER` when they are messages that end in the answer. `thread`: what the metadata of
    the model's runs has of the thread and the user. `tools`: what the tool returned, by city.
    `asks`: the name of the model's runs that have its messages, where others have not.
    """

    name: str
    kinds: dict[str, int]
    details: dict[str, Any] | None = None
    thread: dict[str, str] = field(default_factory=dict)
    model: str = MODEL
    system: str | None = SYSTEM
    is_named: bool = False
    root: Any = ANSWER
    roots: int = 2
    results: dict[str, Any] = field(default_factory=lambda: RESULTS)
    tools: dict[str, Any] | None = None
    has_failed_root: bool = True
    asks: str = ""


SESSION = {"session_id": "thread-7", "user_id": "ada"}
ALL = [
    Exporter(
        "pydantic_ai",
        {"llm": 4, "tool": 2, "chain": 3},
        CACHED | REASONED,
        roots=3,
        tools={"Paris": {"sky": "sunny"}, "Rome": {"output": "18"}},
    ),
    Exporter(
        "pydantic_ai_version_6",
        {"llm": 4, "tool": 2, "chain": 3},
        CACHED | REASONED,
        roots=3,
        tools={"Paris": {"sky": "sunny"}, "Rome": {"output": "18"}},
    ),
    Exporter(
        "pydantic_ai_of_2025",
        {"llm": 4, "tool": 2, "chain": 4},
        REASONED,
        roots=3,
        tools={"Paris": {"sky": "sunny"}, "Rome": {"output": "18"}},
    ),
    Exporter(
        "logfire_openai",
        {"llm": 4, "chain": 3},
        OPENAI,
        {"session_id": "thread-7"},
        is_named=True,
        roots=4,
        root=None,
    ),
    Exporter(
        "openinference_openai",
        {"llm": 3},
        OPENAI,
        SESSION | {"tier": "gold"},
        model="gpt-4o-mini",
        is_named=True,
        roots=3,
    ),
    Exporter(
        "openinference_langchain",
        {"llm": 3, "chain": 7, "tool": 2},
        OPENAI,
        {"session_id": "thread-7", "thread_id": "thread-7"},
        is_named=True,
    ),
    Exporter(
        "openinference_agents",
        {"llm": 3, "chain": 9, "tool": 2},
        {"prompt_token_details": {"cache_read": 80, "cache_creation": 0}} | REASONED,
        model="gpt-4o-mini-2024-07-18",
        root=None,
        tools={"Paris": {"sky": "sunny"}, "Rome": {"output": "18"}},
        has_failed_root=False,
    ),
    Exporter(
        "openinference_anthropic",
        {"llm": 3},
        {"prompt_token_details": {"cache_read": 80, "cache_creation": 10}},
        model="claude-sonnet-4-20250514",
        roots=3,
    ),
    Exporter("opentelemetry_openai", {"llm": 3}, roots=3),
    Exporter(
        "traceloop_openai",
        {"llm": 3, "tool": 1, "chain": 2},
        CACHED | REASONED,
        SESSION,
        root={"output": f"You asked: {QUESTION}"},
        tools={"Paris": {"output": '{"sky": "sunny"}'}},
    ),
    Exporter("traceloop_openai_of_2025", {"llm": 3}, CACHED | REASONED, roots=3),
    Exporter(
        "langfuse_openai",
        {"llm": 4, "tool": 2, "chain": 2},
        OPENAI,
        SESSION,
        model="gpt-4o-mini-2024-07-18",
        is_named=True,
        root={"output": ANSWER},
        roots=3,
        tools={"Paris": {"sky": "sunny"}, "Rome": {"output": "18"}},
    ),
    Exporter(
        "mlflow_openai",
        {"llm": 3, "tool": 2, "chain": 2},
        CACHED,
        model="gpt-4o-mini-2024-07-18",
        is_named=True,
        root={"output": ANSWER},
        tools={"Paris": {"output": '{"sky": "sunny"}'}, "Rome": {"output": "18"}},
    ),
    Exporter(
        "google_adk",
        {"llm": 3, "tool": 3, "chain": 4},
        CACHED | REASONED,
        {"conversation_id": "thread-7"},
        model="gemini-2.5-flash",
        results={call: {"result": text} for call, text in RESULTS.items()},
        root=None,
        tools={"Paris": {"result": '{"sky": "sunny"}'}, "Rome": {"result": "18"}},
    ),
    Exporter(
        "google_adk_of_2025",
        {"llm": 5, "tool": 3, "chain": 5},
        CACHED | REASONED,
        {"session_id": "thread-7"},
        model="gemini-2.5-flash",
        results={call: {"result": text} for call, text in RESULTS.items()},
        root=None,
        tools={"Paris": {"result": '{"sky": "sunny"}'}, "Rome": {"result": "18"}},
        asks="call_llm",
    ),
    Exporter(
        "strands_agent",
        {"llm": 3, "tool": 2, "chain": 5},
        CACHED,
        SESSION,
    ),
    Exporter(
        "vercel_ai_5",
        {"llm": 3, "tool": 2, "chain": 2},
        None,
        SESSION,
        tools={"Paris": {"output": '{"sky": "sunny"}'}, "Rome": {"output": "18"}},
    ),
    Exporter(
        "vercel_ai_7",
        {"llm": 3, "tool": 2, "chain": 5},
        CACHED,
        tools={"Paris": {"output": '{"sky": "sunny"}'}, "Rome": {"output": "18"}},
    ),
    Exporter(
        "vercel_ai_7_legacy",
        {"llm": 3, "tool": 2, "chain": 2},
        {
            "prompt_token_details": {"cache_read": 80, "no_cache": 40},
            "completion_token_details": {"reasoning": 10, "text": 20},
        },
        tools={"Paris": {"output": '{"sky": "sunny"}'}, "Rome": {"output": "18"}},
    ),
]


def fixture(name: str) -> dict[str, Any]:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def mapped(name: str) -> list[Mapped]:
    """Return the spans of a fixture as runs, in the order in which they began."""
    spans = list(jsonform.read(json.dumps(fixture(name)["request"]).encode()))
    assert all(isinstance(span, Span) for span in spans)
    return sorted((map_span(span) for span in spans), key=lambda one: one.op.start_time)


def document(raw: bytes | None) -> Any:
    return orjson.loads(raw or b"null")


def metadata(op: RunOp) -> dict[str, Any]:
    return {key: orjson.loads(raw) for key, raw in op.metadata.items()}


def said(messages: Any) -> list[dict[str, Any]]:
    """Return the messages of a document: those under `messages`, those of a provider's answer."""
    if "choices" in messages:
        return [choice["message"] for choice in messages["choices"]]
    return messages["messages"]


def text_of(message: dict[str, Any]) -> Any:
    """Return what a message says, whichever library wrote it."""
    content = message.get("data", message)["content"]
    if isinstance(content, list) and len(content) == 1:
        return content[0].get("text", content[0])
    return content.strip() if isinstance(content, str) else content


def of_model(exporter: Exporter) -> list[RunOp]:
    """Return the model's runs that answer the first question."""
    runs = [one.op for one in mapped(exporter.name) if one.op.run_type == "llm"]
    return [op for op in runs if exporter.asks in ("", op.name)][:2]


def each(exporters: list[Exporter]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("exporter", exporters, ids=[one.name for one in exporters])


every = each(ALL)


def test_every_fixture_is_expected_and_names_its_versions() -> None:
    names = {exporter.name for exporter in ALL} | {"opentelemetry_google_genai"}
    assert {path.stem for path in FIXTURES.glob("*.json")} == names
    readme = (FIXTURES / "README.md").read_text()
    for name in names:
        assert f"`{name}`" in readme
        for package, version in fixture(name)["made_by"].items():
            assert f"{package} {version}" in readme


@every
def test_runs_have_their_types_and_roots(exporter) -> None:
    runs = mapped(exporter.name)
    kinds = [one.op.run_type for one in runs]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == exporter.kinds
    assert sum(one.is_root for one in runs) == exporter.roots


@every
def test_a_model_is_asked_and_calls_tools(exporter) -> None:
    first = of_model(exporter)[0]
    asked = said(document(first.inputs))
    assert text_of(asked[-1]) == QUESTION
    assert asked[-1]["role"] == "user"
    assert asked[-1].get("name") == ("ada" if exporter.is_named else None)
    if exporter.system:
        assert asked[0]["role"] == "system"
        assert text_of(asked[0]).startswith(exporter.system)
    (answer,) = said(document(first.outputs))
    assert answer["role"] == "assistant"
    calls = {call["id"]: call["function"] for call in answer["tool_calls"]}
    assert {call: json.loads(f["arguments"])["city"] for call, f in calls.items()} == CITIES
    assert {function["name"] for function in calls.values()} == {"weather"}


@every
def test_each_tool_answers_its_own_call_and_its_text_stays_a_text(exporter) -> None:
    second = of_model(exporter)[1]
    turns = said(document(second.inputs))
    made = [call["id"] for turn in turns for call in turn.get("tool_calls") or ()]
    assert made == list(CITIES)
    answers = {turn["tool_call_id"]: text_of(turn) for turn in turns if turn["role"] == "tool"}
    assert answers == exporter.results
    (answer,) = said(document(second.outputs))
    assert text_of(answer) == ANSWER


@every
def test_tokens_and_their_details_are_counted(exporter) -> None:
    for op in of_model(exporter):
        assert (op.prompt_tokens, op.completion_tokens, op.total_tokens) == (120, 30, 150)
        assert document(op.usage_details) == exporter.details


@every
def test_the_model_the_thread_and_the_user_are_in_the_metadata(exporter) -> None:
    for op in of_model(exporter):
        told = metadata(op)
        assert told["ls_model_name"] == exporter.model
        assert told | exporter.thread == told


@every
def test_a_failed_span_has_an_error_and_others_have_none(exporter) -> None:
    runs = mapped(exporter.name)
    failed = [one for one in runs if one.op.error is not None]
    reasons = ("The prompt was refused", "division by zero", "Please fail.", "Not quite")
    assert all(any(reason in one.op.error for reason in reasons) for one in failed)
    assert any(one.op.run_type == "llm" for one in failed)
    assert all(op.error is None for op in of_model(exporter))
    assert any(one.is_root for one in failed) == exporter.has_failed_root


@each([one for one in ALL if one.root is not None and "chain" in one.kinds])
def test_the_first_root_has_the_question_and_the_answer(exporter) -> None:
    root = next(one.op for one in mapped(exporter.name) if one.is_root)
    assert QUESTION in (root.inputs or b"").decode()
    assert ANSWER not in (root.inputs or b"").decode()
    told = document(root.outputs)
    if exporter.root == ANSWER:
        assert text_of(said(told)[-1]) == ANSWER
    else:
        assert told == exporter.root


@every
def test_a_tool_has_its_arguments_and_result(exporter) -> None:
    found = {}
    for one in mapped(exporter.name):
        if one.op.run_type == "tool" and one.op.inputs is not None:
            city = next(city for city in CITIES.values() if city in one.op.inputs.decode())
            found[city] = document(one.op.outputs)
    if exporter.tools is not None:
        assert found == exporter.tools
    assert all(value is not None for value in found.values())


def test_a_history_belongs_to_the_inputs() -> None:
    """A run of pydantic-ai with a history answers only its own question."""
    for name in ("pydantic_ai", "pydantic_ai_version_6", "pydantic_ai_of_2025"):
        second = [one.op for one in mapped(name) if one.is_root][1]
        asked = said(document(second.inputs))
        assert text_of(asked[-1]) == "And tomorrow?"
        assert text_of(asked[1]) == QUESTION
        told = document(second.outputs)
        assert [text_of(message) for message in told["messages"]] == [ANSWER]
        assert told["output"] == ANSWER


def test_the_arguments_and_the_result_of_a_logged_function_are_its_inputs_and_outputs() -> None:
    runs = {one.op.name: one.op for one in mapped("logfire_openai")}
    root = runs["answer {question}"]
    assert document(root.inputs) == {"question": QUESTION, "answer": ANSWER}
    function = runs["ask {question}"]
    assert document(function.inputs) == {"question": QUESTION}
    assert document(function.outputs) == {"output": f"You asked: {QUESTION}"}


def test_an_automatic_tool_caller_has_the_question_and_the_answer() -> None:
    runs = mapped("opentelemetry_google_genai")
    first, second = (one.op for one in runs if one.op.run_type == "llm")
    assert said(document(first.inputs)) == [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": QUESTION},
    ]
    assert said(document(first.outputs)) == [
        {"role": "assistant", "content": ANSWER, "finish_reason": "stop"}
    ]
    assert (first.prompt_tokens, first.completion_tokens) == (120, 30)
    assert document(first.usage_details) == CACHED | REASONED
    tools = [one.op for one in runs if one.op.run_type == "tool"]
    assert [document(op.inputs) for op in tools] == [{"city": "Paris"}, {"city": "Rome"}]
    assert [document(op.outputs) for op in tools] == [{"sky": "sunny"}, {"output": "18"}]
    assert "refused" in (second.error or "")


def test_an_observation_by_hand_has_its_costs_and_its_level() -> None:
    run = next(one.op for one in mapped("langfuse_openai") if one.op.name == "by hand")
    assert (run.prompt_tokens, run.completion_tokens, float(run.total_cost)) == (120, 30, 0.03)
    assert document(run.usage_details) == CACHED
    assert run.error == "Not quite"
    assert said(document(run.inputs)) == [{"role": "user", "content": QUESTION}]
