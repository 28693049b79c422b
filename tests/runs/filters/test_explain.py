"""What a reviewer sees: the clauses that matched, with the run's own values."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from observatory.runs.filters.explain import Facts, clauses, matches
from observatory.runs.filters.grammar import parse

ID = UUID("00000000-0000-4000-8000-000000000001")
FACTS = Facts(
    id=ID,
    trace_id=ID,
    name="answer_with_routing",
    status="error",
    error="Timeout while asking the model",
    start_time=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    latency=6.2,
    total_cost=Decimal("0.012"),
    tags=["prod", "needs_review"],
    metadata='{"user_tier": "enterprise", "confidence": "0.70", "n": 0.65}',
    inputs='{"user": {"plan": "gold"}, "question": "May I terminate the contract?"}',
    outputs='{"confidence": 65}',
    feedback=[
        {"key": "user_rating", "score": 0.2, "value": None, "comment": "no", "source": "app"},
        {"key": "other", "score": 0.9, "value": '"x"', "comment": None, "source": "api"},
    ],
)


def _told(text: str) -> list[tuple[str, object]]:
    return [(clause.field, clause.actual) for clause in clauses(parse(text), FACTS)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "and(eq(feedback_key, 'user_rating'), lt(feedback_score, 0.4))",
            [("feedback_key", "user_rating"), ("feedback_score", 0.2)],
        ),
        (
            "and(eq(metadata_key, 'user_tier'), eq(metadata_value, 'enterprise'))",
            [("metadata_key", "user_tier"), ("metadata_value", "enterprise")],
        ),
        (
            "and(eq(output_key, 'confidence'), lt(output_value, 85))",
            [("output_key", "confidence"), ("output_value", 65)],
        ),
        (
            "and(eq(input_key, 'user.plan'), eq(input_value, 'gold'))",
            [("input_key", "user.plan"), ("input_value", "gold")],
        ),
        ("gt(latency, '5s')", [("latency", 6.2)]),
        ("has(tags, 'needs_review')", [("tags", '["prod", "needs_review"]')]),
        ("gte(start_time, '2026-11-20T12:00:00Z')", [("start_time", "2026-11-20T12:00:00+00:00")]),
        ("gt(total_cost, 0.01)", [("total_cost", 0.012)]),
        ("or(eq(status, 'success'), neq(error, null))", [("error", FACTS.error)]),
        ("neq(feedback_key, 'k')", [("feedback_key", ["other", "user_rating"])]),
        ("not(eq(name, 'x'))", [("name", "answer_with_routing")]),
        ("not(eq(feedback_key, 'k'))", [("feedback_key", ["other", "user_rating"])]),
        ("search('TERMINATE')", [("inputs", f"...{(FACTS.inputs or '')[6:]}")]),
        ("eq(status, 'success')", []),
    ],
)
def test_matching_clauses_have_their_values(text, told) -> None:
    assert _told(text) == told
    assert matches(parse(text), FACTS) is bool(told)


def test_a_clause_carries_its_own_text() -> None:
    (clause,) = clauses(parse("gt( latency ,'5s' )"), FACTS)
    assert clause.as_dict() == {
        "text": 'gt(latency, "5s")',
        "field": "latency",
        "operator": "gt",
        "expected": "5s",
        "actual": 6.2,
    }


def test_a_match_in_a_long_text_has_its_surroundings() -> None:
    facts = Facts(id=ID, trace_id=ID, error="x" * 500 + " refund " + "y" * 500)
    (clause,) = clauses(parse("search('refund')"), facts)
    assert clause.field == "error"
    assert clause.actual == "..." + "x" * 39 + " refund " + "y" * 39 + "..."


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("and(eq(metadata_key, 'confidence'), eq(metadata_value, 0.7))", True),
        ("and(eq(metadata_key, 'confidence'), neq(metadata_value, 0.7))", False),
        ("and(eq(metadata_key, 'confidence'), eq(metadata_value, '0.7'))", False),
        ("and(eq(metadata_key, 'n'), lt(metadata_value, 0.7))", True),
        ("gt(total_tokens, 1)", False),
        ("not(gt(total_tokens, 1))", True),
        ("neq(total_tokens, 1)", False),
        ("eq(total_tokens, null)", True),
        ("eq(run_type, null)", True),
        ("eq(is_root, true)", True),
        ("eq(execution_order, 1)", True),
        ("and(lt(feedback_score, 0.4), eq(feedback_key, 'other'))", False),
    ],
)
def test_a_missing_value_is_never_equal_less_or_more(text, holds) -> None:
    assert matches(parse(text), FACTS) is holds


def test_an_empty_text_is_found_in_an_empty_field() -> None:
    facts = Facts(id=ID, trace_id=ID, error="")
    assert matches(parse('search("")'), facts)
    assert [clause.field for clause in clauses(parse('search("")'), facts)] == ["error"]
