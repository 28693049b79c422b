"""What must be stored after each program: read back by the SDK, as its users would."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langsmith import Client
from langsmith.schemas import Run

from tests.ecosystem.model_server import SENTENCE


@dataclass(frozen=True)
class Ended:
    """A program that has ended: its project, all its runs, and what it printed."""

    client: Client
    project: str
    runs: list[Run]
    output: str

    @property
    def roots(self) -> list[Run]:
        return [run for run in self.runs if run.parent_run_id is None]

    def named(self, name: str) -> list[Run]:
        return [run for run in self.runs if run.name == name]

    def of_type(self, run_type: str) -> list[Run]:
        return [run for run in self.runs if run.run_type == run_type]

    def root(self, name: str) -> Run:
        (run,) = [run for run in self.roots if run.name == name]
        return run


def _text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, default=str)


def _is_whole(run: Run) -> None:
    assert run.end_time is not None, f"{run.name} has no end"
    assert run.inputs, f"{run.name} has no inputs"
    assert run.outputs, f"{run.name} has no outputs"


def _has_usage(run: Run, *, total: int = 29) -> None:
    assert run.total_tokens == total, f"{run.name}: {run.total_tokens} tokens"
    assert (run.prompt_tokens, run.completion_tokens) == (21, 8), run.name


def langchain_callbacks(ended: Ended) -> None:
    answer = ended.root("answer")
    _is_whole(answer)
    assert answer.outputs == {"output": SENTENCE}
    assert answer.tags == ["support"]
    assert ended.root("streamed").outputs == {"output": SENTENCE}
    assert "no such order" in (ended.root("failing").error or "")
    assert len(ended.of_type("llm")) == 2
    for run in ended.of_type("llm"):
        _is_whole(run)
    _has_usage(next(r for r in ended.of_type("llm") if r.trace_id == answer.id))
    (thread,) = ended.client.list_threads(project_name=ended.project)
    assert thread["thread_id"] == "t-chain"


def langgraph_agent(ended: Ended) -> None:
    assert len(ended.roots) == 2
    for root in ended.roots:
        _is_whole(root)
    (called,) = ended.of_type("tool")
    assert called.name == "find_order"
    assert "shipped" in _text(called.outputs)
    assert "call_a7" in _text([run.outputs for run in ended.of_type("llm")])
    for run in ended.of_type("llm"):
        _has_usage(run)
    (thread,) = ended.client.list_threads(project_name=ended.project)
    assert thread["thread_id"] == "t-graph"
    assert thread["count"] == 2


def openai_wrapper(ended: Ended) -> None:
    root = ended.root("conversation")
    assert root.outputs == {"output": SENTENCE}
    llm = ended.of_type("llm")
    assert len(llm) == 5
    for run in llm:
        _is_whole(run)
        _has_usage(run)
        assert run.extra["metadata"]["ls_model_name"] == "gpt-4o-mini"
    assert any("call_a7" in _text(run.outputs) for run in llm)
    details = [run.prompt_token_details or {} for run in llm]
    assert all(one.get("cache_read") == 4 for one in details), details


def openevals_judge(ended: Ended) -> None:
    experiment = ended.output.strip().splitlines()[-1]
    project = ended.client.read_project(project_name=experiment, include_stats=True)
    assert project.metadata["seed"] == 2**64
    means = {key: stats["avg"] for key, stats in project.feedback_stats.items()}
    assert means == {"correctness": 1, "exact_match": 1, "levenshtein_distance": 1}
    rows = list(ended.client.list_runs(project_name=experiment, is_root=True))
    assert len(rows) == 3
    for row in rows:
        _is_whole(row)


def pydantic_ai_otel(ended: Ended) -> None:
    assert len(ended.roots) == 2
    for root in ended.roots:
        _is_whole(root)
    texts = [_text(root.outputs) for root in ended.roots]
    assert any(SENTENCE in text for text in texts), texts
    assert any("reason" in text for text in texts), texts
    assert any("shipped" in _text(run.outputs) for run in ended.of_type("tool"))
    for run in ended.of_type("llm"):
        _is_whole(run)
        _has_usage(run)


def logfire_openai(ended: Ended) -> None:
    (root,) = ended.roots
    (llm,) = ended.of_type("llm")
    assert llm.parent_run_id == root.id
    _is_whole(llm)
    _has_usage(llm)
    assert SENTENCE in _text(llm.outputs)
    assert "When do I get my money?" in _text(llm.inputs)


def litellm_callback(ended: Ended) -> None:
    answer = ended.root("litellm")
    _is_whole(answer)
    assert SENTENCE in _text(answer.outputs)
    assert "support" in (answer.tags or [])
    failing = ended.root("failing")
    assert "the model is away" in (failing.error or "") + _text(failing.outputs)


def openai_agents(ended: Ended) -> None:
    (root,) = ended.roots
    _is_whole(root)
    assert SENTENCE in _text(root.outputs)
    (called,) = ended.of_type("tool")
    assert "shipped" in _text(called.outputs)
    assert len(ended.of_type("llm")) == 2
    for run in ended.of_type("llm"):
        _is_whole(run)
        _has_usage(run)


def mcp_tools(ended: Ended) -> None:
    printed = json.loads(ended.output.strip().splitlines()[-1])
    answers = printed["answers"]
    for name, answer in answers.items():
        assert not answer["is_error"], f"{name}: {answer['text']}"
        document = json.loads(answer["text"])
        assert not (isinstance(document, dict) and document.get("error")), f"{name}: {document}"
    assert "mcp-prompt" in answers["list_prompts"]["text"]
    assert '"input_variables":["question"]' in answers["get_prompt_by_name"]["text"]
    assert SENTENCE in answers["get_thread_history"]["text"]
    assert printed["run"] in answers["fetch_runs"]["text"]
    assert "mcp experiment" in answers["list_experiments"]["text"]
    assert "Five days." in answers["list_examples"]["text"]
    assert printed["example"] in answers["read_example"]["text"]


def vercel_ai(ended: Ended) -> None:
    root = ended.root("conversation")
    assert SENTENCE in _text(root.outputs)
    assert "shipped" in _text([run.outputs for run in ended.of_type("tool")])
    llm = ended.of_type("llm")
    assert len(llm) >= 4
    for run in llm:
        _is_whole(run)
    assert sum((run.total_tokens or 0) == 29 for run in llm) >= 4


def langgraph_js(ended: Ended) -> None:
    (root,) = ended.roots
    _is_whole(root)
    (called,) = ended.of_type("tool")
    assert "shipped" in _text(called.outputs)
    for run in ended.of_type("llm"):
        _has_usage(run)


CHECKS: dict[str, Callable[[Ended], None]] = {
    "langchain_callbacks.py": langchain_callbacks,
    "langgraph_agent.py": langgraph_agent,
    "openai_wrapper.py": openai_wrapper,
    "openevals_judge.py": openevals_judge,
    "pydantic_ai_otel.py": pydantic_ai_otel,
    "logfire_openai.py": logfire_openai,
    "litellm_callback.py": litellm_callback,
    "openai_agents.py": openai_agents,
    "mcp_tools.py": mcp_tools,
    "vercel_ai.mjs": vercel_ai,
    "langgraph_js.mjs": langgraph_js,
}
