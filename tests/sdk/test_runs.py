"""Runs and projects by the unmodified Python SDK, keyword by keyword, against a live server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
import requests
from langsmith import Client, utils

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
START = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def project() -> str:
    return f"runs-{uuid4().hex[:8]}"


def order(run_id: UUID, start: datetime, parent: str = "") -> str:
    segment = f"{start:%Y%m%dT%H%M%S%fZ}{run_id}"
    return f"{parent}.{segment}" if parent else segment


def trace(client: Client, project: str, n: int = 0, **fields) -> tuple[UUID, UUID]:
    """Send a root and its model call by create_run and update_run; return their ids."""
    root, call = uuid4(), uuid4()
    start = START + timedelta(minutes=n)
    client.create_run(
        f"root {n}",
        {"question": f"why {n}"},
        "chain",
        id=root,
        trace_id=root,
        dotted_order=order(root, start),
        project_name=project,
        start_time=start,
        tags=["first" if n == 0 else "later"],
        extra={"metadata": {"tier": "gold" if n == 0 else "none"}, "runtime": {"kept": True}},
        **fields,
    )
    client.create_run(
        "call",
        {"messages": [{"role": "user", "content": f"why {n}"}]},
        "llm",
        id=call,
        trace_id=root,
        parent_run_id=root,
        dotted_order=order(call, start, order(root, start)),
        project_name=project,
        start_time=start,
        end_time=start + timedelta(seconds=1),
        outputs={"usage_metadata": {"input_tokens": 6, "output_tokens": 4, "total_tokens": 10}},
    )
    client.update_run(
        root,
        trace_id=root,
        dotted_order=order(root, start),
        name=f"root {n}",
        end_time=start + timedelta(seconds=2 + n),
        error="boom" if n == 2 else None,
        outputs={"answer": f"so {n}"},
        events=[{"name": "new_token", "time": (start + timedelta(seconds=1)).isoformat()}],
        tags=["done", "first" if n == 0 else "later"],
    )
    client.flush()
    return root, call


def test_create_run_and_update_run_are_read_back(client, project) -> None:
    example = uuid4()
    root, call = trace(
        client,
        project,
        reference_example_id=example,
        attachments={"note": ("text/plain", b"of a run"), "odd.name": ("text/plain", b"skipped")},
    )
    run = client.read_run(root)
    assert (run.name, run.run_type, run.status) == ("root 0", "chain", "success")
    assert (run.start_time, run.end_time) == (START, START + timedelta(seconds=2))
    assert (run.inputs, run.outputs) == ({"question": "why 0"}, {"answer": "so 0"})
    assert (run.tags, run.reference_example_id) == (["done", "first"], example)
    assert (run.metadata["tier"], run.extra["runtime"]["kept"]) == ("gold", True)
    assert run.events[0]["name"] == "new_token"
    assert run.first_token_time == START + timedelta(seconds=1)
    assert run.total_tokens == 10
    assert run.attachments["note"]["reader"].read() == b"of a run"
    assert list(run.attachments) == ["note"]
    assert client.read_run(call).parent_run_ids == [root]
    assert client.read_run(root, project_id=run.session_id, start_time=START).id == root


def test_children_are_loaded_below_the_run_that_is_read(client, project) -> None:
    root, call = trace(client, project)
    deep = uuid4()
    client.create_run(
        "deep",
        {},
        "tool",
        id=deep,
        trace_id=root,
        parent_run_id=call,
        dotted_order=order(deep, START, order(call, START, order(root, START))),
        project_name=project,
        start_time=START,
    )
    client.flush()
    run = client.read_run(root, load_child_runs=True)
    assert [child.id for child in run.child_runs] == [call]
    assert [child.id for child in run.child_runs[0].child_runs] == [deep]
    below = client.read_run(call, load_child_runs=True)
    assert [child.id for child in below.child_runs] == [deep]


def test_the_links_of_a_run_and_a_project_lead_to_their_pages(client, project, server) -> None:
    _, call = trace(client, project)
    run = client.read_run(call)
    owner = client.read_project(project_name=project)
    page = f"/o/{owner.tenant_id}/projects/p/{owner.id}/r/{call}"
    assert urlsplit(run.url).path == page
    for named in ({}, {"project_name": project}, {"project_id": owner.id}):
        assert urlsplit(client.get_run_url(run=run, **named)).path == page
    assert urlsplit(owner.url).path == f"/o/{owner.tenant_id}/projects/p/{owner.id}"
    for path in (page, urlsplit(owner.url).path):
        answer = requests.get(f"{server.url}{path}", timeout=10, allow_redirects=False)
        assert (answer.status_code, "next=" in answer.headers["location"]) == (302, True)


def test_every_keyword_of_list_runs_narrows_the_list(client, project) -> None:
    traces = [trace(client, project, n) for n in range(3)]
    example = uuid4()
    alone, _ = trace(client, f"{project}-other", 9, reference_example_id=example)
    owner = client.read_project(project_name=project)
    client.create_feedback(traces[0][0], "tone", score=1.0)
    client.flush()

    def names(**asked) -> list[str]:
        asked = {"project_name": project, **asked}
        return [run.name for run in client.list_runs(**asked)]

    assert names(is_root=True) == ["root 2", "root 1", "root 0"]
    assert names(is_root=True, order="asc") == ["root 0", "root 1", "root 2"]
    assert names(execution_order=1, limit=2) == ["root 2", "root 1"]
    assert names(run_type="llm") == ["call"] * 3
    assert names(trace_id=traces[1][0], is_root=False) == ["call"]
    assert names(parent_run_id=traces[1][0]) == ["call"]
    assert names(error=True) == ["root 2"]
    assert names(error=False, is_root=True) == ["root 1", "root 0"]
    assert names(query="so 1") == ["root 1"]
    assert names(filter='has(tags, "first")') == ["root 0"]
    assert names(trace_filter='has(tags, "first")', run_type="llm") == ["call"]
    assert names(tree_filter='eq(name, "call")', is_root=True, limit=1) == ["root 2"]
    assert names(filter='eq(name, "call")', tree_filter='has(tags, "first")') == ["call"]
    assert names(search_filter='eq(feedback_key, "tone")') == ["root 0"]
    assert names(start_time=START + timedelta(minutes=2), is_root=True) == ["root 2"]
    assert names(end_time=START + timedelta(minutes=1), is_root=True) == ["root 1", "root 0"]
    assert names(run_ids=[traces[0][0]]) == names(id=[traces[0][0]]) == ["root 0"]
    assert names(is_root=True, data_source_type="lite") == names(data_source_type="root_lite")
    assert names(skip_pagination=True, is_root=True, limit=1) == ["root 2"]
    both = client.list_runs(project_name=[project, f"{project}-other"], is_root=True)
    assert {run.id for run in both} == {root for root, _ in traces} | {alone}
    by_id = client.list_runs(project_id=[owner.id], is_root=True)
    assert len(list(by_id)) == 3
    (of_example,) = client.list_runs(reference_example_id=example)
    assert of_example.id == alone
    (bare,) = client.list_runs(run_ids=[alone], select=["id", "inputs"])
    assert (bare.inputs, bare.outputs) == ({"question": "why 9"}, None)
    with pytest.raises(utils.LangSmithError, match="is not a field of a run"):
        list(client.list_runs(project_name=project, select=["nonsense"]))


def test_every_keyword_of_get_run_stats_narrows_the_runs(client, project) -> None:
    traces = [trace(client, project, n) for n in range(3)]
    owner = client.read_project(project_name=project)
    client.create_feedback(traces[0][0], "tone", score=1.0, comment="kind")
    client.flush()

    def count(**asked) -> int:
        return client.get_run_stats(project_names=[project], **asked)["run_count"]

    assert count() == 6
    assert count(id=[traces[0][0]]) == 1
    assert count(trace=traces[0][0]) == 2
    assert count(parent_run=traces[0][0]) == 1
    assert count(run_type="llm") == 3
    assert count(reference_example_ids=[uuid4()]) == 0
    assert count(start_time=(START + timedelta(minutes=1)).isoformat()) == 4
    assert count(end_time=START.isoformat()) == 2
    assert count(error=True) == 1
    assert count(query="so 1") == 1
    assert count(filter='has(tags, "first")') == 1
    assert count(trace_filter='has(tags, "first")') == 2
    assert count(tree_filter='has(tags, "first")') == 2
    assert count(is_root=True) == count(data_source_type="root_lite") == 3
    told = client.get_run_stats(project_ids=[owner.id], is_root=True)
    assert (told["total_tokens"], told["latency_p50"], told["latency_p99"]) == (30, 3, 3.98)
    assert told["error_rate"] == pytest.approx(1 / 3)
    assert told["feedback_stats"]["tone"]["comments"] == ["kind"]
    assert told["streaming_rate"] == 1


def test_every_keyword_of_list_projects_narrows_the_list(client, project) -> None:
    dataset = client.create_dataset(project)
    plain = client.create_project(
        project,
        description="d",
        metadata={"team": project},
        project_extra={"any": "thing"},
    )
    experiment = client.create_project(
        f"{project}-tried",
        reference_dataset_id=dataset.id,
        num_examples=2,
        num_repetitions=2,
        evaluator_keys=["tone"],
        metadata={"dataset_version": "v1"},
    )
    trace(client, project)

    def found(**asked) -> set[UUID]:
        return {one.id for one in client.list_projects(**asked)}

    assert found(project_ids=[plain.id, experiment.id]) == {plain.id, experiment.id}
    assert found(name=project) == {plain.id}
    assert found(name_contains=project.upper()) == {plain.id, experiment.id}
    assert found(reference_dataset_id=dataset.id) == {experiment.id}
    assert found(reference_dataset_name=project) == {experiment.id}
    assert found(reference_free=True, name_contains=project) == {plain.id}
    assert found(metadata={"team": project}) == {plain.id}
    assert found(dataset_version="v1", name_contains=project) == {experiment.id}
    assert len(list(client.list_projects(limit=1))) == 1
    (told,) = client.list_projects(name=project, include_stats=True)
    assert (told.run_count, told.total_tokens, told.extra["any"]) == (1, 10, "thing")
    read = client.read_project(project_id=plain.id, include_stats=True)
    assert (read.run_count, read.description) == (1, "d")
    raw = client.request_with_retries("GET", f"/sessions/{experiment.id}").json()
    assert raw["experiment_progress"] == {
        "expected_run_count": 4,
        "run_progress": 0,
        "evaluator_progress": {"tone": 0},
    }
    with pytest.raises(utils.LangSmithConflictError):
        client.create_project(project)
    again = client.create_project(project, upsert=True, description="new")
    assert (again.id, again.description) == (plain.id, "new")
    changed = client.update_project(
        plain.id, name=f"{project}-renamed", end_time=START, metadata={"team": "x"}
    )
    assert (changed.name, changed.end_time) == (f"{project}-renamed", START)
    assert changed.metadata == {"team": "x"}
    assert client.has_project(f"{project}-renamed")
    client.delete_project(project_id=str(plain.id))
    assert not client.has_project(f"{project}-renamed")
    with pytest.raises(utils.LangSmithError, match="tag_value_ids"):
        client.create_project(f"{project}-tagged", tag_value_ids=[uuid4()])


def test_a_file_may_come_with_the_update_and_another_with_the_run(client, project) -> None:
    root = uuid4()
    order_ = order(root, START)
    client.create_run(
        "root",
        {},
        "chain",
        id=root,
        trace_id=root,
        dotted_order=order_,
        project_name=project,
        start_time=START,
        attachments={"first": ("text/plain", b"one")},
    )
    client.flush()
    client.update_run(
        root,
        trace_id=root,
        dotted_order=order_,
        end_time=START,
        outputs={"answer": 1},
        attachments={"second": ("application/octet-stream", bytes(range(256)))},
    )
    client.flush()
    (run,) = client.list_runs(project_name=project)
    assert {name: one["reader"].read() for name, one in run.attachments.items()} == {
        "first": b"one",
        "second": bytes(range(256)),
    }
    assert run.attachments["second"]["mime_type"] == "application/octet-stream"
