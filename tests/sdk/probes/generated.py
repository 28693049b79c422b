"""The generated client's runs, traces, threads, sessions and public reads (`/api/v2`)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from tests.sdk.probes import NOON, World, ids, refused_calls, works

SYNC = ("Client",)
SINCE = NOON - timedelta(days=1)
FIELDS = ["ID", "NAME", "INPUTS", "OUTPUTS", "STATUS", "START_TIME", "TRACE_ID"]


def conversation(w: World, turns: int = 2) -> tuple[Any, str]:
    """Return the last run of a new thread of a new project, and the thread's id."""
    project, thread = w.name("project"), w.name("thread")
    runs = [w.run(project, extra={"metadata": {"thread_id": thread}}) for _ in range(turns)]
    return runs[-1], thread


# Runs --------------------------------------------------------------------------------------------


@works("runs.query", "runs.query_v2")
def runs_are_queried(w: World) -> None:
    project = w.name("project")
    runs = [w.run(project, name=f"run {n}") for n in range(3)]
    asked = {
        "project_ids": [str(runs[0].session_id)],
        "min_start_time": SINCE,
        "selects": FIELDS,
        "page_size": 2,
    }
    for query in (w.client.runs.query, w.client.runs.query_v2):
        assert set(ids(query(**asked))) == set(ids(runs))
        (found,) = query(**asked, filter='eq(name, "run 1")')
        assert (found.id, found.name, found.status) == (str(runs[1].id), "run 1", "SUCCESS")
        assert found.outputs == {"answer": "because"}


@works("runs.retrieve", "runs.retrieve_v2")
def a_run_is_retrieved(w: World) -> None:
    run = w.run()
    for retrieve in (w.client.runs.retrieve, w.client.runs.retrieve_v2):
        read = retrieve(
            str(run.id), project_id=str(run.session_id), start_time=NOON, selects=FIELDS
        )
        assert (read.id, read.name) == (str(run.id), "answer")
        assert read.inputs == {"question": "why?"}


@works("runs.get_url")
def the_page_of_a_run_is_told(w: World) -> None:
    run = w.run()
    told = w.client.runs.get_url(
        str(run.id), project_id=str(run.session_id), trace_id=str(run.trace_id), start_time=NOON
    )
    assert str(run.id) in told.url


@works("runs.share.create", "runs.share.delete", "public.runs.retrieve", "public.runs.query")
def a_run_is_shared_and_read_by_its_token(w: World) -> None:
    run = w.run()
    share = w.client.runs.share.create(
        str(run.id), session_id=str(run.session_id), trace_id=str(run.trace_id)
    )
    token = str(share.share_token)
    public = w.client.public.runs
    read = public.retrieve(str(run.id), share_token=token, selects=FIELDS, start_time=NOON)
    assert read.outputs == {"answer": "because"}
    listed = public.query(token, selects=FIELDS)
    assert [item.id for item in listed.items] == [str(run.id)]
    w.client.runs.share.delete(str(run.trace_id), session_id=str(run.session_id))
    assert not w.plain.run_is_shared(run.id)


@works("runs.streaming.query_v2", "runs.streaming.query_v2_items")
def runs_are_streamed(w: World) -> None:
    run = w.run()
    streaming = w.client.runs.streaming
    asked = {"project_ids": [str(run.session_id)], "min_start_time": SINCE, "selects": FIELDS}
    assert str(run.id) in str(streaming.query_v2(**asked))
    assert list(ids(streaming.query_v2_items(**asked))) == [str(run.id)]


# Traces ------------------------------------------------------------------------------------------


@works("traces.query", "traces.list_runs")
def traces_are_queried(w: World) -> None:
    run = w.run()
    project = str(run.session_id)
    (trace,) = w.client.traces.query(project_id=project, min_start_time=SINCE)
    assert trace.root_run.id == str(run.trace_id)
    listed = w.client.traces.list_runs(str(run.trace_id), project_id=project, selects=FIELDS)
    assert [item.id for item in listed.items] == [str(run.id)]


@works("traces.streaming.query", "traces.streaming.query_items")
def traces_are_streamed(w: World) -> None:
    run = w.run()
    asked = {"project_id": str(run.session_id), "min_start_time": SINCE}
    assert str(run.trace_id) in str(w.client.traces.streaming.query(**asked))
    (trace,) = w.client.traces.streaming.query_items(**asked)
    assert trace.root_run.id == str(run.trace_id)


# Threads -----------------------------------------------------------------------------------------


@works("threads.query", "threads.list_traces")
def threads_are_queried(w: World) -> None:
    run, thread_id = conversation(w)
    project = str(run.session_id)
    (thread,) = w.client.threads.query(project_id=project, min_start_time=SINCE)
    assert (thread.thread_id, thread.count) == (thread_id, 2)
    traces = w.client.threads.list_traces(thread_id, project_id=project)
    assert len(traces) == 2


@works("threads.stats")
def a_thread_is_counted(w: World) -> None:
    run, thread_id = conversation(w)
    stats = w.client.threads.stats(thread_id, selects=["TURNS"], session_id=str(run.session_id))
    assert stats.turns == 2


@works("threads.aggregate_stats")
def threads_are_counted(w: World) -> None:
    run, _ = conversation(w)
    stats = w.client.threads.aggregate_stats(
        project_id=str(run.session_id),
        select=["THREAD_COUNT", "TRACE_COUNT"],
        min_start_time=SINCE,
    )
    assert "thread_count" in str(stats)


@works("threads.share.create", "threads.share.retrieve", "threads.share.delete")
def a_thread_is_shared(w: World) -> None:
    run, thread_id = conversation(w)
    share, project = w.client.threads.share, str(run.session_id)
    token = share.create(thread_id, project_id=project).share_token
    assert UUID(str(token))
    assert share.retrieve(thread_id, project_id=project).share_token == token
    share.delete(thread_id, project_id=project)


@works("threads.streaming.query", "threads.streaming.query_items")
def threads_are_streamed(w: World) -> None:
    run, thread_id = conversation(w)
    asked = {"project_id": str(run.session_id), "min_start_time": SINCE}
    assert thread_id in str(w.client.threads.streaming.query(**asked))
    (thread,) = w.client.threads.streaming.query_items(**asked)
    assert thread.thread_id == thread_id


# Sessions ----------------------------------------------------------------------------------------


@works("sessions.create", "sessions.retrieve", "sessions.update", "sessions.delete", of=SYNC)
def the_generated_client_keeps_projects(w: World) -> None:
    sessions, name = w.client.sessions, w.name("project")
    made = sessions.create(name=name, description="d")
    sessions.update(made.id, description="e")
    read = sessions.retrieve(made.id, include_stats=True)
    assert (read.id, read.name, read.description) == (made.id, name, "e")
    sessions.delete(made.id)
    assert not w.plain.has_project(name)


def project_of(w: World) -> str:
    return str(w.run().session_id)


@works(
    "sessions.create_v2",
    "sessions.retrieve_v2",
    "sessions.update_v2",
    "sessions.list_v2",
    of=SYNC,
)
def projects_are_kept_by_version_2(w: World) -> None:
    sessions, name = w.client.sessions, w.name("project")
    dataset_id, _ = w.dataset()
    made = sessions.create_v2(type="PROJECT", name=f"{name}-1", description="d")
    asked = {"type": "EXPERIMENT", "reference_dataset_id": str(dataset_id)}
    experiment = sessions.create_v2(name=f"{name}-2", trace_tier="LONG_LIVED", **asked)
    changed = sessions.update_v2(made.id, description=None, extra={"metadata": {"a": 1}})
    assert (changed.description, changed.extra) == (None, {"metadata": {"a": 1}})
    w.run(f"{name}-1")
    read = sessions.retrieve_v2(made.id, include_stats=True)
    assert (read.type, read.run_count, read.latency_p50) == ("PROJECT", 1, 2)
    found = list(sessions.list_v2(name_contains=name, page_size=1, sort_by="NAME"))
    assert list(ids(found)) == [experiment.id, made.id]
    assert [project.type for project in found] == ["EXPERIMENT", "PROJECT"]
    assert found[0].trace_tier == "LONG_LIVED"
    for chosen in ({"type": ["PROJECT"]}, {"filter": "has(metadata, '{\"a\": 1}')"}):
        assert list(ids(sessions.list_v2(name_contains=name, **chosen))) == [made.id]


refused_calls(
    {
        "sessions.dashboard": lambda w: w.client.sessions.dashboard(
            project_of(w), start_time=SINCE
        ),
    },
    seen="NotFoundError 404",
    why="dashboards are no part of Observatory; the figures of a project are on its page",
    of=SYNC,
)


@works("sessions.resolve", of=SYNC)
def an_address_is_resolved_to_its_project(w: World) -> None:
    run = w.run("evaluators")
    assert w.client.sessions.resolve(kind="EVALUATOR").session_id == str(run.session_id)
