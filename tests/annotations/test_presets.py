"""The rules that ship: each on runs that must match and on runs that must not."""

from __future__ import annotations

from typing import Any

import pytest

from annotations.models import RuleVersion
from annotations.routing.presets import PRESETS, install_presets
from annotations.routing.rules import RuleDefinition, check_filter, keep_version, set_rule
from observatory.runs.filters.grammar import FilterError
from tests.annotations.routing_world import drain_all, judge, make_run
from tests.conftest import NOON
from tests.factories import AnnotationQueueFactory, ProjectFactory

ENTERPRISE = {"user_tier": "enterprise"}
Feedback = dict[str, Any]

# preset, what the run is made of, feedback as {key: fields}, does it match
CASES: list[tuple[str, dict[str, Any], dict[str, Feedback], bool]] = [
    ("low-confidence", {"metadata": {"confidence": 0.69}}, {}, True),
    ("low-confidence", {"metadata": {"confidence": 0.7}}, {}, False),
    ("low-confidence", {"metadata": {"confidence": 69}}, {}, True),
    ("low-confidence", {"metadata": {"confidence": 70}}, {}, False),
    ("low-confidence", {"metadata": {"confidence": 1}}, {}, False),
    ("low-confidence", {"metadata": {"confidence": 1.0}}, {}, False),
    ("low-confidence", {"metadata": {"confidence": 0}}, {}, True),
    ("low-confidence", {"metadata": {"confidence": "62"}}, {}, True),
    ("low-confidence", {"metadata": {"confidence": "high"}}, {}, False),
    ("low-confidence", {"metadata": {"score": 0.1}}, {}, False),
    ("low-confidence", {"metadata": {"confidence": 0.9, "score": 0.1}}, {}, False),
    ("low-confidence", {"outputs": {"answer": "?", "confidence": 55}}, {}, True),
    ("low-confidence", {"outputs": {"answer": "!", "confidence": 95}}, {}, False),
    ("low-confidence", {}, {"confidence": {"score": 0.5}}, True),
    ("low-confidence", {}, {"confidence": {"score": 50}}, True),
    ("low-confidence", {}, {"confidence": {"score": 0.95}}, False),
    ("low-confidence", {}, {"confidence": {"score": 0.9}, "length": {"score": 0.1}}, False),
    ("low-confidence", {}, {}, False),
    ("enterprise-confidence", {"metadata": {"confidence": 80, **ENTERPRISE}}, {}, True),
    ("enterprise-confidence", {"metadata": {"confidence": 0.84, **ENTERPRISE}}, {}, True),
    ("enterprise-confidence", {"metadata": {"confidence": 85, **ENTERPRISE}}, {}, False),
    ("enterprise-confidence", {"metadata": {"confidence": 80, "user_tier": "free"}}, {}, False),
    (
        "enterprise-confidence",
        {"metadata": {"customer_tier": "enterprise"}, "outputs": {"confidence": 71}},
        {},
        True,
    ),
    ("enterprise-confidence", {"metadata": ENTERPRISE}, {}, False),
    ("high-stakes", {"inputs": {"question": "I want a Refund now"}}, {}, True),
    ("high-stakes", {"inputs": {"question": "Is it illegal?"}}, {}, True),
    ("high-stakes", {"inputs": {"messages": [{"content": "terminate my plan"}]}}, {}, True),
    ("high-stakes", {"inputs": {"question": "Opening hours?"}}, {}, False),
    ("high-stakes", {"outputs": {"answer": "No refund."}}, {}, False),
    ("negative-feedback", {}, {"user_rating": {"score": 0.0}}, True),
    ("negative-feedback", {}, {"user_rating": {"score": 0.4}}, False),
    ("negative-feedback", {}, {"user_rating": {"score": 1.0}, "other": {"score": 0.0}}, False),
    ("negative-feedback", {}, {"user_rating": {"comment": "no score"}}, False),
    ("negative-feedback", {"tags": ["thumbs-down"]}, {}, True),
    ("negative-feedback", {"tags": ["thumbs-up"]}, {}, False),
    ("negative-feedback", {}, {"thumbs-down": {}}, True),
    ("negative-feedback", {}, {"user_feedback": {"value": "negative"}}, True),
    ("negative-feedback", {}, {"user_feedback": {"value": "positive"}}, False),
    ("negative-feedback", {"metadata": {"user_feedback": "negative"}}, {}, True),
    ("critical-report", {}, {"needs_review": {"score": 0.0}}, True),
    ("critical-report", {"tags": ["needs_review"]}, {}, True),
    ("critical-report", {}, {"failure_category": {"score": 0.0}}, False),
    ("errors", {"error": "TimeoutError()"}, {}, True),
    ("errors", {}, {}, False),
]

# What the seed's answer_with_routing leaves: @traceable keeps arguments and result.
SEED_RUNS = [
    ("Where is my order?", "standard", 65, {"low-confidence"}),
    ("Where is my order?", "standard", 80, set()),
    ("Where is my order?", "enterprise", 80, {"enterprise-confidence"}),
    ("Where is my order?", "enterprise", 65, {"low-confidence", "enterprise-confidence"}),
    ("How do I get a REFUND?", "standard", 95, {"high-stakes"}),
    ("Where is my order?", "enterprise", 90, set()),
]


@pytest.fixture
def queue(acme):
    return AnnotationQueueFactory(workspace=acme)


@pytest.mark.parametrize(("preset", "run", "feedback", "is_match"), CASES)
def test_a_preset_matches_its_runs_and_no_others(
    acme, queue, preset, run, feedback, is_match
) -> None:
    install_presets(acme, queue, [preset], now=NOON)
    stored = make_run(acme, **run)
    for key, fields in feedback.items():
        judge(acme, stored.id, key, **fields)
    drain_all()
    assert queue.items.exists() is is_match


@pytest.mark.parametrize(("question", "tier", "confidence", "expected"), SEED_RUNS)
def test_the_presets_route_what_the_seed_program_routes(
    acme, queue, question, tier, confidence, expected
) -> None:
    install_presets(acme, queue, [name for name in PRESETS if name != "random-sample"], now=NOON)
    make_run(
        acme,
        inputs={"question": question, "user_id": "u1", "user_tier": tier},
        outputs={"answer": "...", "confidence": confidence, "routed_to_review": bool(expected)},
    )
    drain_all()
    item = queue.items.first()
    names = set(item.decisions.values_list("rule__preset", flat=True)) if item else set()
    assert names == expected


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {"random-sample"}))
def test_a_preset_is_about_whole_traces_not_their_steps(acme, queue, preset) -> None:
    install_presets(acme, queue, [preset], now=NOON)
    root = make_run(acme)
    for name, run, feedback, is_match in CASES:
        if name == preset and is_match:
            step = make_run(acme, parent_run_id=root.id, trace_id=root.id, **run)
            for key, fields in feedback.items():
                judge(acme, step.id, key, **fields)
    drain_all()
    assert not queue.items.exists()


def test_the_random_sample_takes_2_percent_of_the_roots(acme, queue) -> None:
    (rule,) = install_presets(acme, queue, ["random-sample"], now=NOON)
    assert rule.sampling_rate == 0.02


def test_presets_arrive_once_however_often_they_are_installed(acme, queue, ada) -> None:
    first = install_presets(acme, queue, now=NOON, by=ada)
    again = install_presets(acme, queue, now=NOON)
    assert [rule.pk for rule in first] == [rule.pk for rule in again]
    assert [rule.preset for rule in first] == list(PRESETS)
    assert RuleVersion.objects.filter(created_by=ada).count() == len(PRESETS)


def test_a_second_queue_gets_presets_under_names_of_its_own(acme, queue) -> None:
    other = AnnotationQueueFactory(workspace=acme, name="Legal")
    install_presets(acme, queue, ["errors"], now=NOON)
    (rule,) = install_presets(acme, other, ["errors"], now=NOON)
    assert rule.name == "Errors (Legal)"


def test_an_unknown_preset_is_refused(acme, queue) -> None:
    with pytest.raises(KeyError):
        install_presets(acme, queue, ["nonsense"], now=NOON)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_preset_can_be_read(preset) -> None:
    check_filter(preset.filter)


def test_a_filter_that_cannot_be_read_is_refused_with_its_position(acme, queue) -> None:
    definition = RuleDefinition(name="Bad", filter='and(eq(name, "x"), oops)', queue=queue)
    with pytest.raises(FilterError) as refused:
        set_rule(acme, definition, now=NOON)
    assert refused.value.position == 19
    with pytest.raises(FilterError):
        check_filter("  ")


@pytest.mark.parametrize("rate", [-0.01, 1.01, float("nan")])
def test_a_rate_outside_zero_to_one_is_refused(acme, queue, rate) -> None:
    definition = RuleDefinition("Rate", "eq(is_root, true)", queue, sampling_rate=rate)
    with pytest.raises(ValueError, match="share"):
        set_rule(acme, definition, now=NOON)


def test_a_queue_or_project_of_another_workspace_is_refused(acme, rival, queue) -> None:
    foreign = ProjectFactory(workspace=rival)
    with pytest.raises(ValueError, match="own workspace"):
        set_rule(rival, RuleDefinition("R", "eq(is_root, true)", queue), now=NOON)
    with pytest.raises(ValueError, match="own workspace"):
        set_rule(acme, RuleDefinition("R", "eq(is_root, true)", queue, [foreign]), now=NOON)


def test_only_a_change_of_what_a_rule_says_is_a_new_version(acme, queue, ada) -> None:
    project = ProjectFactory(workspace=acme)
    same = RuleDefinition("Errors", 'eq(status, "error")', queue)
    rule = set_rule(acme, same, now=NOON, by=ada)
    assert (rule.version, rule.is_enabled) == (1, False)
    set_rule(acme, same, now=NOON, rule=rule, is_enabled=True)
    assert (rule.version, rule.is_enabled) == (1, True)
    set_rule(acme, RuleDefinition("Errors", same.filter, queue, [project]), now=NOON, rule=rule)
    assert (rule.version, rule.is_enabled) == (2, True)
    assert not keep_version(rule, now=NOON)
    newest = RuleVersion.objects.get(rule=rule, version=2)
    assert newest.definition["projects"] == [str(project.uuid)]
    assert newest.definition["filter"] == 'eq(status, "error")'
