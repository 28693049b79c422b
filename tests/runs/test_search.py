"""Finding runs: window, cursor, filters, other people's workspaces."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from observatory.feedback import record
from observatory.runs import paging, search
from observatory.runs.facts import facts_of
from observatory.runs.filters.grammar import parse
from observatory.runs.search import BadCursor, RunQuery
from tests.conftest import NOON
from tests.factories import ProjectFactory, judge, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(acme):
    return ProjectFactory(workspace=acme, name="support")


def _names(workspace, **wanted) -> list[str | None]:
    return [run.name for run in search.query(workspace, RunQuery(**wanted)).runs]


def _pages(workspace, **wanted) -> list[list[str | None]]:
    pages, cursor = [], None
    while True:
        page = search.query(workspace, RunQuery(**wanted, cursor=cursor))
        pages.append([run.name for run in page.runs])
        cursor = page.next_cursor
        if cursor is None:
            return pages


@pytest.mark.parametrize("n_projects", [1, 2])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_are_full_and_neither_repeat_nor_skip_runs_of_one_instant(
    acme, n_projects, order
) -> None:
    projects = [ProjectFactory(workspace=acme) for _ in range(n_projects)]
    for number in range(25):
        make_run(
            projects[number % n_projects],
            name=str(number),
            start_time=NOON + timedelta(seconds=number // 10),
        )
    pages = _pages(acme, limit=10, order=order)
    assert [len(page) for page in pages] == [10, 10, 5]
    names = [int(name or 0) for page in pages for name in page]
    assert sorted(names) == list(range(25))
    assert [n // 10 for n in names] == sorted((n // 10 for n in names), reverse=order == "desc")


def test_a_run_that_arrives_between_two_pages_disturbs_neither(acme, project) -> None:
    for number in range(4):
        make_run(project, name=str(number), start_time=NOON + timedelta(seconds=number))
    first = search.query(acme, RunQuery(limit=2))
    make_run(project, name="new", start_time=NOON + timedelta(seconds=9))
    second = search.query(acme, RunQuery(limit=2, cursor=first.next_cursor))
    assert [run.name for run in [*first.runs, *second.runs]] == ["3", "2", "1", "0"]
    assert second.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "MjAyNi0xMS0yMA==", "'; drop table"])
def test_an_invalid_cursor_is_refused(acme, project, cursor) -> None:
    with pytest.raises(BadCursor):
        search.query(acme, RunQuery(cursor=cursor))


def test_each_restriction_narrows(acme, project) -> None:
    example = uuid4()
    root = make_run(project, name="root", start_time=NOON)
    make_run(
        project, name="child", parent=root, run_type="llm", start_time=NOON + timedelta(seconds=1)
    )
    make_run(project, name="failed", error="boom", start_time=NOON + timedelta(seconds=2))
    experiment = ProjectFactory(workspace=acme, reference_dataset_id=uuid4())
    make_run(
        experiment, name="tried", reference_example_id=example, start_time=NOON - timedelta(days=1)
    )
    assert _names(acme) == ["failed", "child", "root", "tried"]
    assert _names(acme, projects=[project.uuid]) == ["failed", "child", "root"]
    assert _names(acme, projects=[]) == []
    assert _names(acme, projects=[uuid4()]) == []
    assert _names(acme, reference_dataset_id=experiment.reference_dataset_id) == ["tried"]
    assert _names(acme, is_root=True) == ["failed", "root", "tried"]
    assert _names(acme, is_root=False) == ["child"]
    assert _names(acme, run_type="llm") == ["child"]
    assert _names(acme, has_error=True) == ["failed"]
    assert _names(acme, has_error=False) == ["child", "root", "tried"]
    assert _names(acme, parent_run_id=root.id) == ["child"]
    assert _names(acme, parent_run_id=uuid4()) == []
    assert _names(acme, trace_id=root.id, limit=1) == ["child", "root"]
    assert _names(acme, trace_id=root.id, projects=[experiment.uuid]) == []
    assert _names(acme, reference_examples=[example]) == ["tried"]
    assert _names(acme, started_from=NOON + timedelta(seconds=1)) == ["failed", "child"]
    assert _names(acme, started_to=NOON) == ["root", "tried"]
    assert _names(acme, text="FAIL") == ["failed"]
    assert _names(acme, filter=parse('eq(name, "child")')) == ["child"]
    assert _names(acme, ids=[root.id], has_error=True, projects=[]) == ["root"]


def test_trace_and_tree_filters_look_at_the_root_and_at_any_run_of_the_trace(acme, project) -> None:
    for name, tag in [("good", "x"), ("bad", None)]:
        root = make_run(project, name=f"{name} root", tags=[tag] if tag else None)
        make_run(project, name=f"{name} child", parent=root, error=None if tag else "boom")
    is_child = parse("eq(is_root, false)")
    tagged, failed = parse('has(tags, "x")'), parse("neq(error, null)")
    assert _names(acme, filter=is_child, trace_filter=tagged) == ["good child"]
    assert sorted(_names(acme, tree_filter=failed)) == ["bad child", "bad root"]
    assert _names(acme, trace_filter=failed) == []
    assert _names(acme, filter=is_child, trace_filter=tagged, tree_filter=failed) == []


def test_a_trace_filter_finds_the_runs_below_a_judged_root(acme, project) -> None:
    bad, good = make_run(project, name="bad"), make_run(project, name="good", tags=["x"])
    for root in (bad, good):
        make_run(project, name=f"{root.name} child", parent=root)
    judge(bad, "user_rating", 0.0)
    judge(good, "user_rating", 1.0)
    judge(good, "tone", 0.0)
    negative = 'and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))'
    assert sorted(_names(acme, trace_filter=parse(negative))) == ["bad", "bad child"]
    assert _names(acme, trace_filter=parse(f'and({negative}, has(tags, "x"))')) == []
    told = parse('and(eq(feedback_key, "tone"), has(tags, "x"))')
    assert sorted(_names(acme, trace_filter=told)) == ["good", "good child"]


def test_feedback_matches_only_once_its_root_is_stored(acme, project) -> None:
    root_id = uuid4()
    sent = record.FeedbackInput(key="user_rating", run_id=root_id, score=0.0)
    record.record(acme, sent, now=NOON)
    make_run(project, name="child", trace_id=root_id)
    negative = parse('eq(feedback_key, "user_rating")')
    assert _names(acme, trace_filter=negative) == []
    make_run(project, name="root", id=root_id)
    record.attach(acme, [root_id])
    assert sorted(_names(acme, trace_filter=negative)) == ["child", "root"]


def test_times_are_read_to_the_microsecond_and_in_utc(acme, project) -> None:
    starts = ["2026-11-20T12:00:00Z", "2026-11-20T12:00:00.1+05:30", "0999-01-01T00:00:00.000001Z"]
    for text in starts:
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::timestamptz", [text])
            (found,) = cursor.fetchone()
        assert found == datetime.fromisoformat(text)
        assert found.tzinfo is UTC
    for text in ("infinity", "0044-03-15 BC"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::timestamptz", [text])
            with pytest.raises(DataError):
                cursor.fetchone()


def test_the_terms_of_one_and_bind_to_one_feedback(acme, project) -> None:
    mixed, bad = make_run(project, name="mixed"), make_run(project, name="bad")
    judge(mixed, "user_rating", 0.9)
    judge(mixed, "other", 0.1)
    judge(bad, "user_rating", 0.1)
    pair = 'and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))'
    assert _names(acme, filter=parse(pair)) == ["bad"]
    apart = 'and(and(eq(feedback_key, "user_rating")), and(lt(feedback_score, 0.4)))'
    assert sorted(str(n) for n in _names(acme, filter=parse(apart))) == ["bad", "mixed"]
    assert _names(acme, filter=parse('neq(feedback_key, "other")')) == ["bad"]


def test_comparative_feedback_and_the_feedback_of_another_workspace_do_not_count(
    acme, rival, project
) -> None:
    run = make_run(project)
    judge(run, "k", 0, comparative_experiment_id=uuid4())
    theirs = make_run(ProjectFactory(workspace=rival), id=run.id)
    judge(theirs, "k", 0)
    assert _names(acme, filter=parse('eq(feedback_key, "k")')) == []


@pytest.mark.parametrize(
    ("text", "metadata", "found"),
    [
        ("neq(metadata_key, 'k')", {"other": 1}, True),
        ("neq(metadata_key, 'k')", {"k": 1}, False),
        ("and(eq(metadata_key, 'k'), neq(metadata_value, 'v'))", {"k": "w"}, True),
        ("and(eq(metadata_key, 'k'), neq(metadata_value, 'v'))", {"k": "v"}, False),
        ("and(eq(metadata_key, 'k'), neq(metadata_value, 'v'))", {"x": "w"}, False),
        ("and(neq(metadata_key, 'k'), neq(metadata_value, 'v'))", {"x": "w"}, True),
        ("and(neq(metadata_key, 'k'), neq(metadata_value, 'v'))", {"x": "v"}, False),
        (
            "and(eq(metadata_key, 'confidence'), lt(metadata_value, 0.7))",
            {"confidence": 0.65},
            True,
        ),
        (
            "and(eq(metadata_key, 'confidence'), lt(metadata_value, 0.7))",
            {"confidence": "0.65"},
            True,
        ),
        (
            "and(eq(metadata_key, 'confidence'), lt(metadata_value, 0.7))",
            {"confidence": "low"},
            False,
        ),
        ("and(eq(metadata_key, 'confidence'), lt(metadata_value, 0.7))", {"confidence": 70}, False),
        ("and(eq(metadata_key, 'vip'), eq(metadata_value, true))", {"vip": True}, True),
        ("eq(thread_id, 't')", {"conversation_id": "t"}, True),
        ("in(metadata_key, ['session_id', 'thread_id'])", {"thread_id": "t"}, True),
        ('has(metadata, \'{"a": {"b": 1}}\')', {"a": {"b": 1, "c": 2}}, True),
    ],
)
def test_metadata_is_compared_pair_by_pair(acme, project, text, metadata, found) -> None:
    make_run(project, metadata=metadata)
    assert bool(_names(acme, filter=parse(text))) is found


def test_inputs_are_reached_by_dotted_path_and_searched_whatever_their_escapes(
    acme, project
) -> None:
    make_run(project, name="a", inputs='{"user": {"tier": "enterprise"}, "q": "caf\\u00e9"}')
    make_run(project, name="b", inputs={"q": 'say "hi"', "messages": [{"content": "refund"}]})
    tier = 'and(eq(input_key, "user.tier"), eq(input_value, "enterprise"))'
    assert _names(acme, filter=parse(tier)) == ["a"]
    assert _names(acme, filter=parse('search(inputs, "CAFÉ")')) == ["a"]
    assert _names(acme, filter=parse("""search('say "hi"')""")) == ["b"]
    assert _names(acme, filter=parse('search("refund")')) == ["b"]
    assert _names(acme, filter=parse('search("100%")')) == []


def test_no_workspace_finds_another_ones_runs(acme, rival, project) -> None:
    run = make_run(project)
    ours = ProjectFactory(workspace=rival)
    make_run(ours, name="theirs")
    assert _names(rival) == ["theirs"]
    assert _names(rival, projects=[project.uuid]) == []
    assert _names(rival, ids=[run.id]) == []
    assert _names(rival, trace_id=run.id) == []
    assert search.get(rival, run.id) is None
    assert search.trace(rival, run.trace_id) == []
    assert facts_of(rival.pk, [run.id]) == {}


def test_a_page_costs_the_same_few_queries_whatever_it_holds(
    acme, project, django_assert_max_num_queries
) -> None:
    for _ in range(30):
        judge(make_run(project, inputs={"q": 1}), "k", 1)
    with django_assert_max_num_queries(
        7
    ):  # savepoint, timeout, projects, keys, sizes, rows, release
        page = search.query(acme, RunQuery(filter=parse('eq(feedback_key, "k")')))
    assert len(page.runs) == 30


def test_payloads_are_read_only_when_asked_for(acme, project) -> None:
    run = make_run(project, inputs='{"b": 1.0, "a": 12345678901234567890}')
    (bare,) = search.query(acme, RunQuery(payloads=())).runs
    assert bare.inputs is None
    whole = search.get(acme, run.id)
    assert whole is not None
    assert whole.inputs == '{"b": 1.0, "a": 12345678901234567890}'


def test_a_run_without_a_start_is_found_by_id_and_trace(acme, project) -> None:
    run = make_run(project, start_time=None, name=None, run_type=None)
    assert _names(acme) == []
    assert _names(acme, ids=[run.id]) == [None]
    assert _names(acme, trace_id=run.trace_id) == [None]


def test_a_query_that_takes_too_long_is_ended(acme) -> None:
    with pytest.raises(search.TooSlow), search.bounded(0.05), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "run_project_newest"),
        ({"is_root": True}, "run_project_newest_root"),
        ({"filter": parse("and(eq(is_root, true), has(tags, 'x'))")}, "run_project_newest_root"),
        ({"filter": parse("eq(execution_order, 1)")}, "run_project_newest"),
        ({"is_root": True, "filter": parse("lt(feedback_score, 0.4)")}, "run_project_newest_root"),
        ({"filter": parse("eq(feedback_key, 'k')")}, "feedback_project_key_readable"),
        # Of one run either index costs the same, and statistics of the moment decide.
        ({"trace_filter": parse("has(tags, 'x')")}, "(runs_run_pkey|run_trace)"),
        ({"tree_filter": parse("neq(error, null)")}, "run_trace"),
        ({"cursor": paging.cursor_of(NOON, uuid4())}, "run_project_newest"),
    ],
)
def test_the_common_questions_are_answered_by_an_index_in_its_own_order(
    acme, project, wanted, index
) -> None:
    run = make_run(project, metadata={"thread_id": "t"})
    judge(run, "k", 0)
    with CaptureQueriesContext(connection) as captured:
        search.query(acme, RunQuery(limit=10, payloads=(), **wanted))
    (keys,) = [one["sql"] for one in captured if one["sql"].startswith("SELECT r.start_time")]
    with connection.cursor() as cursor:
        # The tables are tiny here: without these a scan of the whole would be cheapest.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_hashjoin = off")
        cursor.execute("SET LOCAL enable_mergejoin = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {keys}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert re.search(f"using {index} on", plan), plan
    assert "Sort" not in plan, plan


def test_a_search_for_text_reads_a_window_a_page_and_misses_nothing(
    acme, project, monkeypatch
) -> None:
    monkeypatch.setattr(search, "TEXT_WINDOW", 4)
    for number in range(11):
        document = {"q": "refund" if number in (1, 2, 9) else "hello"}
        start = NOON + timedelta(seconds=number)
        make_run(project, name=str(number), start_time=start, inputs=json.dumps(document))
    for order, pages in (("desc", [["9"], [], ["2", "1"]]), ("asc", [["1", "2"], [], ["9"]])):
        assert _pages(acme, text="refund", order=order) == pages
    assert _pages(acme, filter=parse('search(inputs, "refund")')) == [["9"], [], ["2", "1"]]
    first = search.query(acme, RunQuery(text="refund"))
    assert first.searched_to == NOON + timedelta(seconds=7)
    full = search.query(acme, RunQuery(text="refund", limit=1))
    assert (full.searched_to, full.next_cursor is not None) == (NOON + timedelta(seconds=7), True)


def test_feedback_leads_to_its_runs_in_their_order_page_by_page(acme, project) -> None:
    other = ProjectFactory(workspace=acme, name="other")
    for number in range(9):
        run = make_run(
            (project, other)[number % 2],
            name=str(number),
            start_time=NOON + timedelta(seconds=number),
        )
        judge(run, "rating", number % 3)
        judge(run, "rating", 0.5)  # judged twice, listed once
    bad = parse('and(eq(feedback_key, "rating"), lt(feedback_score, 1))')
    assert _pages(acme, filter=bad, limit=4) == [["8", "7", "6", "5"], ["4", "3", "2", "1"], ["0"]]
    worst = parse('and(eq(feedback_key, "rating"), eq(feedback_score, 0))')
    assert _pages(acme, filter=worst, limit=2) == [["6", "3"], ["0"]]
    assert _names(acme, filter=worst, order="asc", projects=[project.uuid]) == ["0", "6"]


def test_feedback_follows_a_run_that_moved(acme, project) -> None:
    run = make_run(project, name="moved", start_time=NOON)
    judged = judge(run, "rating", 0)
    other = ProjectFactory(workspace=acme, name="other")
    later = NOON + timedelta(hours=1)
    type(run).objects.filter(id=run.id).update(project=other, start_time=later)
    assert record.attach(acme, [run.id]) == 0  # it waits for nothing
    assert record.attach(acme, [run.id], is_thorough=True) == 1
    judged.refresh_from_db()
    assert (judged.project_id, judged.run_start_time) == (other.pk, later)
