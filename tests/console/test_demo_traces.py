"""The demo's traces: real in shape, the same for the same seed."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest

from observatory.console.demo.traces import DAYS, make_traces
from tests.conftest import NOON

N = 600


@pytest.fixture(scope="module")
def traces():
    return make_traces(N, 7, NOON, "demo")


def test_the_same_seed_gives_the_same_ids_and_words_and_another_does_not(traces) -> None:
    assert traces == make_traces(N, 7, NOON, "demo")
    other = make_traces(N, 8, NOON, "demo")
    assert not {t.id for t in traces} & {t.id for t in other}


def test_ids_do_not_depend_on_the_day_the_demo_is_made(traces) -> None:
    later = make_traces(N, 7, NOON + timedelta(days=3), "demo")
    assert [t.id for t in later] == [t.id for t in traces]


def test_every_trace_has_five_runs_of_the_kinds_a_support_bot_has(traces) -> None:
    kinds = {tuple(run["run_type"] for run in trace.runs) for trace in traces}
    assert kinds == {("chain", "retriever", "tool", "llm", "parser")}
    assert len({run["id"] for trace in traces for run in trace.runs}) == 5 * N


def test_the_order_of_the_runs_is_the_wires_dotted_order(traces) -> None:
    for trace in traces:
        root, *steps = trace.runs
        assert [run["dotted_order"] for run in trace.runs] == sorted(
            run["dotted_order"] for run in trace.runs
        )
        for run in trace.runs:
            segments = run["dotted_order"].split(".")
            assert segments[0].endswith(root["id"])
            assert segments[-1].endswith(run["id"])
            assert run["start_time"] <= run["end_time"] <= root["end_time"]
        assert all(step["parent_run_id"] == root["id"] for step in steps)


def test_it_all_happened_in_the_fortnight_before(traces) -> None:
    ends = [trace.ended_at for trace in traces]
    assert ends == sorted(ends) or max(ends) < NOON
    assert min(ends) > NOON - timedelta(days=DAYS)
    days = Counter(end.date() for end in ends)
    assert len(days) >= DAYS - 1


def test_there_is_something_for_every_preset_and_it_is_not_too_much(traces) -> None:
    roots = [trace.runs[0] for trace in traces]
    assert 10 <= sum("error" in root for root in roots) <= 40
    negative = {
        row["run_id"]
        for t in traces
        for row in t.feedback
        if row["key"] == "user_rating" and not row["score"]
    }
    assert 25 <= len(negative) <= 90
    assert any(row["key"] == "needs_review" for t in traces for row in t.feedback)
    stakes = sum(
        any(word in json.dumps(root["inputs"]).lower() for word in ("legal", "medical", "refund"))
        for root in roots
    )
    assert 40 <= stakes <= 150
    tiers = Counter(root["extra"]["metadata"]["user_tier"] for root in roots)
    assert set(tiers) == {"free", "standard", "enterprise"}


def test_the_texts_vary(traces) -> None:
    assert len({trace.runs[0]["inputs"]["question"] for trace in traces}) > N * 0.7
    assert not any("{" in trace.best_answer for trace in traces)


def test_users_complain_more_about_bad_answers(traces) -> None:
    rated = [
        (trace.quality, row["score"])
        for trace in traces
        for row in trace.feedback
        if row["key"] == "user_rating"
    ]
    wrong = [score for quality, score in rated if quality == 0]
    right = [score for quality, score in rated if quality == 2]
    assert sum(wrong) / len(wrong) < 0.4 < 0.8 < sum(right) / len(right)


def test_categories_of_failures_come_with_their_scale_and_are_no_grades(traces) -> None:
    rows = [row for trace in traces for row in trace.feedback if row["key"] == "failure_category"]
    assert rows
    for row in rows:
        categories = row["feedback_config"]["categories"]
        assert row["score"] in [category["value"] for category in categories]
        assert len(categories) > 2
