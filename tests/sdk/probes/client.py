"""What a client knows of itself and of its server, and how it sends."""

from __future__ import annotations

from langsmith import Client
from langsmith.uuid import uuid7

from tests.sdk.probes import NOON, World, works

SYNC, ASYNC = ("Client",), ("AsyncClient",)


@works("api_key", "headers", "workspace_id")
def a_client_tells_what_it_was_given(w: World) -> None:
    assert w.client.api_key == w.key
    assert w.client.headers == {}  # those a person has added
    assert w.client.workspace_id is None


@works("info")
def the_server_tells_what_it_can_do(w: World) -> None:
    info = w.client.info
    info = info() if callable(info) else info
    assert info.version
    assert info.batch_ingest_config["use_multipart_endpoint"]
    assert info.instance_flags["dataset_examples_multipart_enabled"]


@works("tracing_mode", of=SYNC)
def runs_go_by_the_langsmith_wire(w: World) -> None:
    assert w.client.tracing_mode == "langsmith"


@works("request_with_retries", of=SYNC)
def any_path_can_be_asked_for(w: World) -> None:
    answer = w.client.request_with_retries("GET", "/info")
    assert answer.json()["version"]


@works("flush", "flush_compressed_traces", of=SYNC)
def what_was_traced_is_stored_after_a_flush(w: World) -> None:
    run_id = uuid7()
    w.plain.create_run("flushed", {"a": 1}, "chain", id=run_id, project_name=w.name("project"))
    w.plain.flush()
    w.client.create_run(
        "flushed too",
        {"a": 1},
        "chain",
        id=(second := uuid7()),
        trace_id=second,
        dotted_order=f"{NOON:%Y%m%dT%H%M%S%f}Z{second}",
        start_time=NOON,
        project_name=w.name("project"),
    )
    w.client.flush()
    w.client.flush_compressed_traces()
    assert w.plain.read_run(second).name == "flushed too"


@works("close", "cleanup", of=SYNC)
def a_closed_client_has_sent_everything(w: World) -> None:
    for end in ("close", "cleanup"):
        client = Client(api_url=w.url, api_key=w.key)
        run_id = uuid7()
        client.create_run("last", {}, "chain", id=run_id, project_name=w.name("project"))
        getattr(w.noting(client), end)()
        assert w.plain.read_run(run_id).name == "last"


@works("aclose", of=ASYNC)
def an_asynchronous_client_closes(w: World) -> None:
    from langsmith import AsyncClient

    client = w.noting(AsyncClient(api_url=w.url, api_key=w.key))
    assert client.info().version
    client.aclose()
