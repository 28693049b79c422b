"""What a preset takes, what the chip of its name finds, and the reason it gives are one thing."""

from __future__ import annotations

from uuid import uuid4

import pytest

from annotations.models import QueueItem
from annotations.routing import reasons
from annotations.routing.presets import PRESETS, install_presets
from observatory.runs import search
from observatory.runs.filters.grammar import parse
from observatory.runs.search import RunQuery
from observatory.web.runs import QUICK
from tests.annotations.routing_world import drain_all, judge, make_rule, make_run
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, ProjectFactory


def clause(field, operator, expected, actual):
    return {"field": field, "operator": operator, "expected": expected, "actual": actual}


KEY = clause("metadata_key", "eq", "confidence", "confidence")
SCALE = clause("metadata_value", "gt", 1, 56)


@pytest.mark.parametrize(
    ("clauses", "said"),
    [
        ([KEY, SCALE, clause("metadata_value", "lt", 70, 56)], "confidence 56 %, below 70 %"),
        ([KEY, clause("metadata_value", "gt", 1, 2), clause("metadata_value", "lt", 70, 2)],
         "confidence 2 %, below 70 %"),
        ([KEY, clause("metadata_value", "lt", 0.7, 0.565)], "confidence 56.5 %, below 70 %"),
        ([KEY, clause("metadata_value", "lt", 0.7, "0.5")], "confidence 50 %, below 70 %"),
        ([KEY, SCALE], "confidence 56 %, above 1 %"),
        ([clause("is_root", "eq", True, True), clause("latency", "gt", 10, 12.3)],
         "latency 12.3, above 10"),
        ([clause("latency", "gt", 1, 9.5), clause("latency", "lt", 10, 9.5)],
         "latency 9.5, below 10"),
        ([clause("latency", "gt", 2, 3), clause("latency", "lt", 10, 3)], "latency 3, above 2"),
        ([clause("status", "eq", "error", "error")], "status = error"),
    ],
)  # fmt: skip
def test_the_reason_is_the_clause_that_decided(clauses, said) -> None:
    assert reasons.said(clauses) == said


RUNS = [
    {"metadata": {"confidence": 0.56}},
    {"metadata": {"confidence": 56}},
    {"outputs": {"answer": "x", "confidence": 64}},
    {"outputs": {"answer": "x", "confidence": 0.2}},
    {"metadata": {"confidence": 95}},
    {"error": "boom"},
    {"metadata": {"user_feedback": "negative"}},
    {},
]


@pytest.mark.parametrize(
    "name", ["low-confidence", "errors", "negative-feedback"], ids=lambda name: name
)
def test_a_chip_has_the_filter_of_the_preset_of_its_name(acme, name) -> None:
    queue = AnnotationQueueFactory(workspace=acme)
    project = ProjectFactory(workspace=acme)
    install_presets(acme, queue, [name], now=NOON)
    for run in RUNS:
        make_run(acme, project=project, **run)
    judge(acme, make_run(acme, project=project).id, "confidence", score=40)
    drain_all()
    assert PRESETS[name].filter in {text for _, _, text in QUICK}
    asked = RunQuery(projects=[project.uuid], filter=parse(PRESETS[name].filter))
    taken = set(QueueItem.objects.values_list("run_id", flat=True))
    assert taken
    assert {run.id for run in search.query(acme, asked).runs} == taken
    clauses = [item.decisions.get().clauses for item in QueueItem.objects.all()]
    assert not any(
        "> 1" in reasons.said(each) or "above 1" in reasons.said(each) for each in clauses
    )


def test_a_rule_without_a_project_leaves_experiments_and_evaluators_alone(acme) -> None:
    application = ProjectFactory(workspace=acme, name="shop")
    experiment = ProjectFactory(workspace=acme, name="shop-1", reference_dataset_id=uuid4())
    evaluators = ProjectFactory(workspace=acme, name="evaluators")
    runs = {
        project: make_run(acme, project=project, inputs={"question": "a refund"})
        for project in (application, experiment, evaluators)
    }
    every = AnnotationQueueFactory(workspace=acme)
    named = AnnotationQueueFactory(workspace=acme)
    refund = 'search(inputs, "refund")'
    make_rule(every, refund)
    make_rule(named, refund, projects=[experiment, evaluators])
    drain_all()
    assert set(every.items.values_list("run_id", flat=True)) == {runs[application].id}
    assert set(named.items.values_list("run_id", flat=True)) == {
        runs[experiment].id,
        runs[evaluators].id,
    }
