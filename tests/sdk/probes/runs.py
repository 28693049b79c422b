"""Runs: sent in every way, read, listed, counted, found as threads, shared."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from langsmith.uuid import uuid7

from tests.sdk.probes import NOON, World, ids, works

SYNC, ASYNC = ("Client",), ("AsyncClient",)


def order(run_id: object) -> str:
    return f"{NOON:%Y%m%dT%H%M%S%f}Z{run_id}"


def as_sent(w: World, **more: object) -> dict[str, object]:
    run_id = uuid7()
    return {
        "id": str(run_id),
        "trace_id": str(run_id),
        "dotted_order": order(run_id),
        "name": "sent",
        "run_type": "chain",
        "start_time": NOON.isoformat(),
        "inputs": {"a": 1},
        "session_name": w.name("project"),
        **more,
    }


@works("create_run", "update_run", "read_run")
def a_run_is_started_ended_and_read(w: World) -> None:
    run_id, project = uuid7(), w.name("project")
    w.client.create_run(
        "answer",
        {"question": "why?"},
        "chain",
        id=run_id,
        project_name=project,
        start_time=NOON,
        tags=["probe"],
        extra={"metadata": {"user": "u1"}},
    )
    w.client.update_run(run_id, outputs={"answer": "because"}, end_time=NOON + timedelta(seconds=2))
    w.plain.flush()
    run = w.client.read_run(run_id)
    assert (run.id, run.name, run.run_type) == (run_id, "answer", "chain")
    assert (run.inputs, run.outputs) == ({"question": "why?"}, {"answer": "because"})
    assert (run.start_time.replace(tzinfo=NOON.tzinfo), run.tags) == (NOON, ["probe"])
    assert run.extra["metadata"]["user"] == "u1"
    assert run.status == "success"
    assert run.session_id == w.plain.read_project(project_name=project).id


@works("batch_ingest_runs", of=SYNC)
def runs_are_sent_in_a_batch(w: World) -> None:
    run = as_sent(w)
    w.client.batch_ingest_runs(create=[run])
    change = {key: run[key] for key in ("id", "trace_id", "dotted_order")}
    w.client.batch_ingest_runs(update=[{**change, "outputs": {"b": 2}}])
    read = w.plain.read_run(run["id"])
    assert (read.inputs, read.outputs) == ({"a": 1}, {"b": 2})


@works("multipart_ingest", of=SYNC)
def runs_are_sent_in_parts_with_attachments(w: World) -> None:
    run = as_sent(w, attachments={"note": ("text/plain", b"hello")})
    w.client.multipart_ingest(create=[run])
    read = w.plain.read_run(run["id"])
    assert read.inputs == {"a": 1}
    assert read.attachments["note"]["reader"].read() == b"hello"


@works("list_runs")
def runs_of_a_project_are_listed(w: World) -> None:
    project = w.name("project")
    runs = [w.run(project, name=f"run {n}", tags=[f"t{n}"]) for n in range(3)]
    listed = w.client.list_runs(project_name=project, start_time=NOON - timedelta(days=1))
    assert set(ids(listed)) == set(ids(runs))
    found = w.client.list_runs(
        project_name=project, filter='has(tags, "t1")', is_root=True, start_time=NOON
    )
    assert list(ids(found)) == [str(runs[1].id)]


@works("get_run_stats", of=SYNC)
def runs_are_counted(w: World) -> None:
    run = w.run()
    stats = w.client.get_run_stats(project_ids=[run.session_id], is_root=True)
    assert stats["run_count"] == 1
    assert stats["latency_p50"] == 2


@works("get_run_url", of=SYNC)
def a_run_has_a_page(w: World) -> None:
    run = w.run()
    url = w.client.get_run_url(run=run, project_id=run.session_id)
    assert f"/projects/p/{run.session_id}/r/{run.id}" in url


@works("list_threads", "read_thread", of=SYNC)
def traces_of_one_conversation_are_a_thread(w: World) -> None:
    project, thread = w.name("project"), w.name("thread")
    first = w.run(project, extra={"metadata": {"thread_id": thread}})
    second = w.run(project, extra={"metadata": {"thread_id": thread}})
    w.run(project)
    (found,) = w.client.list_threads(project_name=project, start_time=NOON - timedelta(days=1))
    assert (found["thread_id"], found["count"]) == (thread, 2)
    read = w.client.read_thread(thread_id=thread, project_name=project)
    assert {run.id for run in read} == {first.id, second.id}


@works("share_run", "run_is_shared", "read_run_shared_link")
def a_run_is_shared(w: World) -> None:
    run = w.run()
    assert not w.client.run_is_shared(run.id)
    url = w.client.share_run(run.id)
    assert w.client.run_is_shared(run.id)
    assert w.client.read_run_shared_link(run.id) == url
    assert "/public/" in url


@works("unshare_run", "list_shared_runs", "read_shared_run", of=SYNC)
def a_shared_run_is_read_without_a_key(w: World) -> None:
    run = w.run()
    token = w.plain.share_run(run.id, share_id=str(uuid4())).split("/public/")[1].split("/")[0]
    assert list(ids(w.client.list_shared_runs(token))) == [str(run.id)]
    assert w.client.read_shared_run(token).outputs == {"answer": "because"}
    w.client.unshare_run(run.id)
    assert not w.plain.run_is_shared(run.id)


@works("create_project", "read_project", "delete_project")
def a_project_is_made_read_and_deleted(w: World) -> None:
    name = w.name("project")
    made = w.client.create_project(name, description="of a probe")
    read = w.client.read_project(project_name=name)
    assert (read.id, read.description) == (made.id, "of a probe")
    w.client.delete_project(project_name=name)
    assert not w.plain.has_project(name)


@works("has_project", "list_projects", "update_project", of=SYNC)
def projects_are_listed_and_changed(w: World) -> None:
    name = w.name("project")
    made = w.plain.create_project(name)
    w.client.update_project(made.id, name=f"{name}-new", description="d", metadata={"a": 1})
    assert w.client.has_project(f"{name}-new")
    assert not w.client.has_project(name)
    (found,) = w.client.list_projects(name_contains=name, metadata={"a": 1})
    assert (found.id, found.description) == (made.id, "d")


@works("aread_project", of=SYNC)
def a_project_is_read_with_its_figures(w: World) -> None:
    run = w.run()
    read = w.client.aread_project(project_id=str(run.session_id), include_stats=True)
    assert (read.id, read.run_count) == (run.session_id, 1)
