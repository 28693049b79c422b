"""Sharing and threads by the unmodified Python SDK against a live server."""

from __future__ import annotations

from uuid import uuid4

import pytest
import requests
from langsmith import Client, utils
from langsmith.run_helpers import traceable, tracing_context

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def project() -> str:
    return f"threads-{uuid4().hex[:8]}"


def conversation(client: Client, project: str, thread: str, turns: int) -> list[str]:
    """Trace `turns` turns, each a chain with one model call of 7 + 3 tokens; return root ids."""

    @traceable(run_type="llm", client=client)
    def model(question: str) -> dict:
        usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10, "total_cost": 0.5}
        return {"answer": question.upper(), "usage_metadata": usage}

    @traceable(client=client)
    def answer(question: str) -> dict:
        return {"answer": model(question)["answer"]}

    ids = []
    for turn in range(turns):
        ids.append(str(uuid4()))
        with tracing_context(enabled=True, project_name=project):
            extra = {"run_id": ids[-1], "metadata": {"thread_id": thread}}
            answer(f"{thread} {turn}", langsmith_extra=extra)
    client.flush()
    return ids


def test_a_run_is_shared_read_without_a_key_and_unshared(client, server, project) -> None:
    run_id, *_ = conversation(client, project, "a", 1)
    assert client.run_is_shared(run_id) is False
    assert client.read_run_shared_link(run_id) is None
    token = uuid4()
    link = client.share_run(run_id, share_id=str(token))
    assert link.endswith(f"/public/{token}/r")
    assert client.share_run(run_id) == link == client.read_run_shared_link(run_id)
    assert client.run_is_shared(run_id) is True
    stranger = Client(api_url=server.endpoint, api_key="none")
    root = stranger.read_shared_run(token)
    assert (str(root.id), root.outputs) == (run_id, {"answer": "A 0"})
    listed = list(stranger.list_shared_runs(token))
    assert [run.run_type for run in listed] == ["chain", "llm"]
    below = stranger.read_shared_run(token, listed[1].id)
    assert (below.parent_run_id, below.total_tokens) == (root.id, 10)
    assert [run.id for run in stranger.list_shared_runs(token, [str(below.id)])] == [below.id]
    page = requests.get(f"{server.url}/public/{token}/r", timeout=10)
    assert (page.status_code, "A 0" in page.text) == (200, True)
    client.unshare_run(run_id)
    assert client.run_is_shared(run_id) is False
    with pytest.raises(utils.LangSmithNotFoundError):
        stranger.read_shared_run(token)
    assert requests.get(f"{server.url}/public/{token}/r", timeout=10).status_code == 404


def test_threads_are_listed_and_read(client, project) -> None:
    first, second = conversation(client, project, "a", 2), conversation(client, project, "b", 1)
    found = client.list_threads(project_name=project)
    assert [(one["thread_id"], one["count"]) for one in found] == [("b", 1), ("a", 2)]
    assert [str(run.id) for run in found[1]["runs"]] == first
    assert {run.total_tokens for run in found[1]["runs"]} == {10}
    assert client.list_threads(project_name=project, limit=1, offset=1)[0]["thread_id"] == "a"
    read = list(client.read_thread(thread_id="a", project_name=project))
    assert [str(run.id) for run in read] == first
    narrowed = client.read_thread(
        thread_id="b", project_name=project, is_root=False, filter='eq(run_type, "llm")'
    )
    assert [str(run.trace_id) for run in narrowed] == second
