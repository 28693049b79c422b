"""/runs/query, /runs/stats and GET /runs/{id} on the wire."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from langsmith import schemas

from observatory.runs import search
from observatory.runs.models import Attachment
from tests.conftest import NOON
from tests.factories import ProjectFactory, judge, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(acme):
    return ProjectFactory(workspace=acme, name="support")


def _names(api, **body) -> list[str]:
    answer = api.post("/runs/query", body)
    assert answer.status_code == 200, answer.json()
    return [run["name"] for run in answer.json()["runs"]]


def test_a_run_is_read_whole_with_the_documents_as_they_were_sent(api, acme, project) -> None:
    root = make_run(project, name="root")
    run = make_run(
        project,
        parent=root,
        inputs='{"b": 1.50, "n": 123456789012345678901234567890}',
        outputs={"answer": "é"},
        events=[{"name": "new_token"}],
        extra={"runtime": {"sdk": "py"}},
        metadata={"tier": "enterprise", "thread_id": "t1"},
        tags=["a"],
        prompt_tokens=2,
        total_cost="0.25",
        usage_details={"prompt_token_details": {"cache_read": 1, "audio": None}},
    )
    judge(run, "user_rating", 0.2, comment="wrong")
    Attachment.objects.create(
        workspace=acme,
        run_id=run.id,
        name="photo",
        mime_type="image/png",
        size=1,
        sha256=b"x" * 32,
        path="x",
    )
    answer = api.get(f"/runs/{run.id}")
    assert answer.status_code == 200
    assert b'{"b": 1.50, "n": 123456789012345678901234567890}' in answer.content
    body = answer.json()
    assert "attachments" not in body
    assert body["extra"] == {
        "runtime": {"sdk": "py"},
        "metadata": {"tier": "enterprise", "thread_id": "t1"},
    }
    assert body["thread_id"] == "t1"
    assert body["parent_run_ids"] == [str(root.id)]
    assert body["trace_id"] == str(root.id)
    assert body["session_id"] == str(project.uuid)
    assert body["dotted_order"] == run.dotted_order
    assert body["feedback_stats"]["user_rating"]["avg"] == 0.2
    assert body["feedback_stats"]["user_rating"]["comments"] == ["wrong"]
    assert body["app_path"] == (
        f"/o/{acme.uuid}/projects/p/{project.uuid}/r/{run.id}?trace_id={root.id}"
    )
    assert body["prompt_token_details"] == {"cache_read": 1}
    assert body["total_cost"] == 0.25
    read = schemas.Run(**body)
    assert read.outputs == {"answer": "é"}
    assert read.end_time == NOON - timedelta(hours=1) + timedelta(seconds=1)
    assert body["s3_urls"]["attachment.photo"]["presigned_url"].startswith("http://testserver/api")
    assert api.get(f"/runs/{root.id}").json()["child_run_ids"] == [str(run.id)]


def test_a_run_that_was_only_patched_so_far_satisfies_the_sdks_model(api, project) -> None:
    run = make_run(
        project, start_time=None, name=None, run_type=None, inputs="null", outputs='["x"]'
    )
    body = api.get(f"/runs/{run.id}").json()
    read = schemas.Run(**body)
    assert read.dotted_order.endswith(str(run.id))
    assert read.outputs == {"output": ["x"]}
    assert body["inputs"] == {}


def test_an_unknown_run_is_404_and_so_is_another_workspaces(api, rival_api, project) -> None:
    run = make_run(project)
    unknown = rival_api.get(f"/runs/{uuid4()}")
    theirs = rival_api.get(f"/runs/{run.id}")
    assert (unknown.status_code, theirs.status_code) == (404, 404)
    assert unknown.content == theirs.content
    assert api.get("/runs/nonsense").status_code == 404


def test_another_workspace_finds_nothing_by_any_body(rival_api, project) -> None:
    run = make_run(project)
    judge(run, "k", 1)
    for body in (
        {},
        {"session": [str(project.uuid)]},
        {"id": [str(run.id)]},
        {"trace": str(run.trace_id)},
        {"filter": "eq(feedback_key, 'k')"},
        {"parent_run": str(run.id)},
    ):
        assert _names(rival_api, **body) == []
        assert rival_api.post("/runs/stats", body).json()["run_count"] == 0


def test_the_seeds_calls_find_what_they_ask_for(api, project) -> None:
    flagged = make_run(project, name="flagged", tags=["needs_review"])
    poor = make_run(project, name="poor")
    make_run(project, name="child", parent=flagged, tags=["needs_review"])
    judge(poor, "user_rating", 0.2)
    judge(flagged, "user_rating", 0.8)
    session = [str(project.uuid)]
    assert _names(api, session=None, filter='has(tags, "needs_review")', is_root=1) == ["flagged"]
    assert _names(
        api,
        session=session,
        filter='and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))',
        execution_order=1,
        start_time="2026-11-20 00:00:00",
        limit=50,
    ) == ["poor"]


def test_pages_follow_each_other_by_cursor(api, project) -> None:
    for number in range(5):
        make_run(project, name=str(number), start_time=NOON + timedelta(seconds=number))
    body = {"session": [str(project.uuid)], "limit": 2, "select": ["id"]}
    names, cursor = [], None
    for _ in range(3):
        answer = api.post("/runs/query", body | ({"cursor": cursor} if cursor else {})).json()
        names += [run["name"] for run in answer["runs"]]
        cursor = answer["cursors"]["next"]
    assert names == ["4", "3", "2", "1", "0"]
    assert cursor is None
    assert _names(api, order="asc", limit=2) == ["0", "1"]


def test_only_selected_and_required_fields_are_returned(api, project) -> None:
    make_run(project, inputs={"q": 1}, outputs={"a": 2})
    (bare,) = api.post("/runs/query", {"select": ["outputs", "manifest_s3_id"]}).json()["runs"]
    assert bare["outputs"] == {"a": 2}
    assert "inputs" not in bare
    assert "manifest_s3_id" not in bare
    schemas.Run(**bare)
    (default,) = api.post("/runs/query", {}).json()["runs"]
    assert default["inputs"] == {"q": 1}
    assert default["s3_urls"] == {}
    assert "child_run_ids" not in default
    (told,) = api.post("/runs/query", {"select": ["child_run_ids", "in_dataset"]}).json()["runs"]
    assert (told["child_run_ids"], told["in_dataset"]) == ([], False)


def test_related_fields_are_returned_when_selected(api, project) -> None:
    root = make_run(project, inputs={"question": "Why?"}, outputs={"answer": "So."})
    child = make_run(project, parent=root, name="child")
    token = api.client.put(f"/runs/{root.id}/share", content_type="application/json").json()
    body = {
        "id": [str(root.id)],
        "select": [
            *("inputs_preview", "outputs_preview", "share_token", "direct_child_run_ids"),
            *("execution_order", "reference_dataset_id", "last_queued_at", "inserted_at"),
        ],
    }
    (told,) = api.post("/runs/query", body).json()["runs"]
    assert (told["inputs_preview"], told["outputs_preview"]) == ("Why?", "So.")
    assert told["share_token"] == token["share_token"]
    assert told["direct_child_run_ids"] == [str(child.id)]
    assert (told["execution_order"], told["last_queued_at"]) == (1, None)
    assert told["reference_dataset_id"] is None


def test_messages_are_returned_when_selected(api, project) -> None:
    run = make_run(
        project,
        run_type="llm",
        inputs={"messages": [{"type": "human", "content": "Hi"}]},
        outputs={"choices": [{"message": {"role": "assistant", "content": "Hello"}}]},
    )
    plain = make_run(project, inputs={"question": "Why?"}, start_time=NOON)
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    body = {"include_messages": True, "select": ["id"]}
    told = api.post("/runs/query", body).json()["runs"]
    assert {one["id"]: one["messages"] for one in told} == {
        str(run.id): said,
        str(plain.id): None,
    }
    assert api.client.get(f"/runs/{run.id}?include_messages=true").json()["messages"] == said
    assert "messages" not in api.get(f"/runs/{run.id}").json()


def test_a_single_run_has_the_selected_fields(api, project) -> None:
    run = make_run(project, serialized={"lc": 1})
    whole = api.get(f"/runs/{run.id}?session_id={project.uuid}&start_time=2026-11-20T11:00:00Z")
    assert whole.json()["serialized"] == {"lc": 1}
    less = api.get(f"/runs/{run.id}?exclude_serialized=True&exclude_s3_stored_attributes=true")
    assert not {"serialized", "s3_urls"} & less.json().keys()
    assert api.get(f"/runs/{run.id}?session_id={uuid4()}").status_code == 404
    for query in ("session_id=x", "start_time=x", "include_messages=x", "exclude_serialized=x"):
        refused = api.get(f"/runs/{run.id}?{query}")
        assert refused.status_code == 422
        assert refused.json()["detail"].startswith(query.split("=")[0])


def test_one_page_without_a_cursor_and_roots_by_their_source(api, project) -> None:
    root = make_run(project, name="root")
    make_run(project, name="child", parent=root)
    body = {"session": [str(project.uuid)], "limit": 1}
    assert api.post("/runs/query", body).json()["cursors"]["next"] is not None
    alone = api.post("/runs/query", body | {"skip_pagination": True}).json()
    assert (len(alone["runs"]), alone["cursors"]["next"]) == (1, None)
    assert _names(api, data_source_type="root_lite") == ["root"]
    assert len(_names(api, data_source_type="historical", skip_prev_cursor=True)) == 2


def test_ids_and_trace_override_other_conditions(api, project) -> None:
    run = make_run(project, name="root")
    make_run(project, name="child", parent=run, start_time=NOON)
    assert _names(api, id=[str(run.id)], error=True) == ["root"]
    assert _names(api, trace=str(run.id), limit=1) == ["child", "root"]
    assert _names(api, reference_example=str(uuid4())) == []
    assert _names(api, id=[]) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"filter": "eq(nme, 'x')"}, "filter: Unknown field 'nme'"),
        ({"filter": "eq(name, 'x'"}, "(at position 12)"),
        ({"tree_filter": "and("}, "tree_filter: "),
        ({"trace_filter": 5}, "trace_filter: must be a text"),
        ({"session": ["x"]}, "session.0: must be a UUID"),
        ({"limit": 0}, "limit: "),
        ({"limit": "ten"}, "limit: "),
        ({"cursor": "garbage"}, "cursor: "),
        ({"order": "random()"}, "order: "),
        ({"is_root": "yes"}, "is_root: "),
        ({"start_time": "yesterday"}, "start_time: "),
        ({"select": "id"}, "select: "),
        ({"select": ["id", "nonsense"]}, "select: 'nonsense' is not a field of a run"),
        ({"data_source_type": "cold"}, "data_source_type: must be current, "),
        ({"execution_order": 2}, "execution_order: "),
        ({"skip_pagination": "yes"}, "skip_pagination: "),
        ({"include_messages": "all"}, "include_messages: "),
        ({"query": "a\x00b"}, "query: "),
        ({"query": "x" * 10_241}, "query: "),
        ([], "body: must be an object"),
    ],
)
def test_a_wrong_body_is_400_and_names_the_field(api, project, body, said) -> None:
    answer = api.post("/runs/query", body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_no_column_of_any_table_is_reachable_by_its_name(api, project) -> None:
    from django.apps import apps

    from observatory.runs.filters.fields import FIELDS

    names = {
        name
        for model in apps.get_models()
        for field in model._meta.get_fields()
        for name in (field.name, f"{field.name}__startswith", f"r.{field.name}")
    }
    for name in sorted(names - set(FIELDS)):
        answer = api.post("/runs/query", {"filter": f"neq({name}, null)"})
        assert answer.status_code == 400, name


def test_a_page_costs_the_same_number_of_queries_however_many_runs(
    api, project, django_assert_max_num_queries
) -> None:
    for number in range(40):
        run = make_run(project, inputs={"q": number})
        judge(run, "k", 1)
    body = {"session": [str(project.uuid)], "filter": "eq(feedback_key, 'k')"}
    # key and its last use, savepoint, timeout, projects, keys, rows, release, feedback, files,
    # what is spent below and its details
    with django_assert_max_num_queries(13):
        assert len(_names(api, **body)) == 40


def test_statistics_are_of_exactly_the_runs_asked_for(api, project) -> None:
    for number in range(1, 5):
        start = NOON + timedelta(minutes=number)
        make_run(
            project,
            name="a" if number < 4 else "b",
            start_time=start,
            end_time=start + timedelta(seconds=number),
            total_tokens=number,
            total_cost="0.5",
            error="boom" if number == 1 else None,
            tags=["x", "x"] if number == 2 else ["y"],
            metadata={"tier": "gold"} if number == 3 else {},
            first_token_time=start + timedelta(seconds=0.5) if number == 4 else None,
        )
    body = {"session": [str(project.uuid)]}
    told = api.post("/runs/stats", body).json()
    assert told["run_count"] == 4
    assert told["latency_p50"] == 2.5
    assert told["latency_p99"] == pytest.approx(3.97)
    assert (told["total_tokens"], told["total_cost"]) == (10, 2.0)
    assert (told["error_rate"], told["streaming_rate"]) == (0.25, 0.25)
    assert told["first_token_p50"] == 0.5
    assert told["last_run_start_time"] == "2026-11-20T12:04:00.000000Z"
    assert api.post("/runs/stats", body | {"filter": "eq(name, 'b')"}).json()["run_count"] == 1
    assert api.post("/runs/stats", {"session": [str(uuid4())]}).json()["latency_p50"] is None

    def groups(**group_by) -> dict[str, int]:
        answer = api.post("/runs/stats", body | {"group_by": group_by})
        assert answer.status_code == 200, answer.json()
        return {name: stats["run_count"] for name, stats in answer.json().items()}

    assert groups(attribute="name") == {"a": 3, "b": 1}
    assert groups(attribute="run_type") == {"chain": 4}
    assert groups(attribute="tag") == {"y": 3, "x": 1}
    assert groups(attribute="metadata", path="tier") == {"gold": 1}
    assert groups(attribute="name", max_groups=1) == {"a": 3}
    answer = api.post("/runs/stats", body | {"group_by": {"attribute": "id; drop"}})
    assert answer.status_code == 400


def test_a_query_beyond_the_timeout_is_a_400(api, project, settings) -> None:
    settings.STATEMENT_TIMEOUT_S = 0.001
    for _ in range(30):
        make_run(project, inputs={"text": "x" * 200_000})
    answer = api.post("/runs/query", {"query": "nothing like this"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "too_slow"
    settings.STATEMENT_TIMEOUT_S = 10
    assert UUID(api.post("/runs/query", {"limit": 1}).json()["runs"][0]["id"])


@pytest.mark.parametrize("path", ["/runs/query", "/runs/stats"])
def test_the_filters_of_one_query_search_documents_ten_times_at_most(api, project, path) -> None:
    make_run(project, inputs={"text": "refund"})
    searches = [f"search('word {number}')" for number in range(49)]
    alone = api.post(path, {"trace_filter": f"or({', '.join(searches)})"})
    assert alone.status_code == 400
    assert "at most 10 searches" in alone.json()["detail"]
    six = f"or({', '.join(searches[:6])})"
    together = api.post(path, {"filter": six, "tree_filter": six})
    assert together.status_code == 400
    assert "At most 10 searches" in together.json()["detail"]
    assert api.post(path, {"filter": six}).status_code == 200


@pytest.mark.parametrize("name", ["trace_filter", "tree_filter"])
def test_a_search_in_the_trace_reads_a_window_of_runs_a_page(
    api, project, name, monkeypatch
) -> None:
    monkeypatch.setattr(search, "TEXT_WINDOW", 2)
    for _ in range(3):
        make_run(project, inputs={"text": "nothing"})
    page = api.post("/runs/query", {name: "search('refund')"}).json()
    assert page["runs"] == []
    assert page["cursors"]["next"] is not None


def test_a_list_has_the_usage_details_of_a_single_run(api, project) -> None:
    root = make_run(project, name="root")
    details = {
        "prompt_token_details": {"cache_read": 1},
        "completion_token_details": {"reasoning": 2},
        "prompt_cost_details": {"cache_read": 0.5},
        "completion_cost_details": {"reasoning": 0.25},
    }
    run = make_run(
        project, parent=root, run_type="llm", prompt_tokens=3, usage_details=details, name="llm"
    )
    selected = ["id", "prompt_tokens", "completion_tokens", "prompt_cost", "completion_cost"]
    for body in ({}, {"select": selected}):
        listed = api.post("/runs/query", body).json()["runs"]
        assert len(listed) == 2
        for one in listed:
            alone = api.get(f"/runs/{one['id']}").json()
            assert {name: one[name] for name in details} == details
            assert {name: alone[name] for name in details} == details
    (bare,) = api.post("/runs/query", {"id": [str(run.id)], "select": ["id"]}).json()["runs"]
    assert not set(details) & set(bare)
