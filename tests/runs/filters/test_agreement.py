"""SQL and Python give one answer: random filters on random runs in a real PostgreSQL."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observatory.runs.facts import facts_of
from observatory.runs.filters.compile import where
from observatory.runs.filters.explain import _loads, clauses, jsonb_text, matches
from observatory.runs.filters.grammar import Node, unparse
from tests.factories import ProjectFactory, WorkspaceFactory, judge, make_run
from tests.runs.filters.strategies import (
    NUMBERS,
    UUIDS,
    WORDS,
    documents,
    nodes,
    objects,
    pairs,
    small_objects,
)

PROJECTS = UUIDS[:2]
_times = st.one_of(
    st.none(),
    st.sampled_from(
        [datetime(2026, 11, 20, hour, 0, s, tzinfo=UTC) for hour in (10, 11) for s in (0, 1)]
    ),
)
_texts = st.one_of(st.none(), st.sampled_from([*WORDS, "answer", "llm"]))
_counts = st.one_of(st.none(), st.integers(0, 2))
_json_text = st.one_of(
    st.none(),
    st.builds(json.dumps, objects, ensure_ascii=st.booleans()),
    st.builds(json.dumps, documents, ensure_ascii=st.booleans()),
)
_feedback = st.fixed_dictionaries(
    {
        "key": st.sampled_from(WORDS[:4]),
        "score": st.one_of(st.none(), st.sampled_from(NUMBERS)),
        "value": documents,
        "comment": _texts,
        "source_type": st.sampled_from(["app", "api", "model"]),
        "comparative_experiment_id": st.sampled_from([None, None, None, UUID(UUIDS[0])]),
    }
)
_run = st.fixed_dictionaries(
    {
        "project": st.integers(0, 1),
        "trace_id": st.sampled_from([UUID(text) for text in UUIDS]),
        "parent_run_id": st.one_of(st.none(), st.sampled_from([UUID(text) for text in UUIDS])),
        "name": _texts,
        "run_type": _texts,
        "error": _texts,
        "start_time": _times,
        "end_time": _times,
        "first_token_time": _times,
        "inputs": _json_text,
        "outputs": _json_text,
        "metadata": objects,
        "tags": st.one_of(st.none(), st.lists(st.sampled_from(WORDS), max_size=3)),
        "reference_example_id": st.one_of(st.none(), st.sampled_from([UUID(t) for t in UUIDS])),
        "prompt_tokens": _counts,
        "completion_tokens": _counts,
        "total_tokens": _counts,
        "prompt_cost": st.one_of(st.none(), st.sampled_from(["0.1", "0.7", "1", "1.5"])),
        "total_cost": st.one_of(st.none(), st.sampled_from(["0.1", "0.7", "1", "1.5"])),
        "feedback": st.lists(_feedback, max_size=3),
    }
)


class _Undo(Exception):
    """Rolls the savepoint of one example back."""


def _store(specs: list[dict[str, Any]]) -> int:
    workspace = WorkspaceFactory()
    projects = [ProjectFactory(workspace=workspace, uuid=UUID(uuid)) for uuid in PROJECTS]
    for number, spec in enumerate(specs):
        fields = dict(spec)
        judged = fields.pop("feedback")
        project = projects[fields.pop("project")]
        run = make_run(project, id=UUID(UUIDS[number]), **fields)
        for feedback in judged:
            judge(run, **feedback)
    return int(workspace.pk)


@pytest.mark.django_db
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    specs=st.lists(_run, min_size=1, max_size=4),
    filters=st.lists(nodes(), min_size=4, max_size=12),
)
def test_sql_and_python_agree_on_every_filter_and_run(specs, filters) -> None:
    _assert_one_answer(specs, filters)


@pytest.mark.django_db
@settings(max_examples=30, deadline=None)
@given(
    documents=st.lists(small_objects, min_size=3, max_size=4),
    filters=st.lists(
        st.sampled_from(["metadata", "input", "output"]).flatmap(pairs), min_size=8, max_size=16
    ),
)
def test_sql_and_python_agree_on_keys_and_values_that_meet(documents, filters) -> None:
    specs = [
        {"project": 0, "feedback": [], "metadata": one, "inputs": one, "outputs": one}
        for one in documents
    ]
    _assert_one_answer(specs, filters)


def _assert_one_answer(specs: list[dict[str, Any]], filters: list[Node]) -> None:
    with contextlib.suppress(_Undo), transaction.atomic():
        workspace_id = _store(specs)
        facts = facts_of(workspace_id, [UUID(uuid) for uuid in UUIDS[: len(specs)]])
        assert len(facts) == len(specs)
        for node in filters:
            found = _found_by_sql(workspace_id, node)
            held = {run_id for run_id, fact in facts.items() if matches(node, fact)}
            assert found == held, unparse(node)
            for run_id, fact in facts.items():
                told = clauses(node, fact)
                json.dumps([clause.as_dict() for clause in told], allow_nan=False)
                assert bool(told) == (run_id in held)
        raise _Undo


def _found_by_sql(workspace_id: int, node: Node) -> set[UUID]:
    sql, params = where(node)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT r.id FROM runs_run r WHERE r.workspace_id = %s AND {sql}",
            [workspace_id, *params],
        )
        return {row[0] for row in cursor.fetchall()}


@pytest.mark.django_db
@settings(max_examples=30, deadline=None)
@given(st.lists(documents, min_size=1, max_size=10))
def test_json_text_equals_postgresqls(values: list[Any]) -> None:
    text = json.dumps(values)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb::text", [text])
        assert cursor.fetchone()[0] == jsonb_text(_loads(text))
