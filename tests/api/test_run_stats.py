"""POST /runs/stats: every figure, selected, grouped, and what is stored beside runs."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from observatory.feedback.models import Feedback
from tests.conftest import NOON
from tests.factories import ProjectFactory, judge, make_run


@pytest.fixture
def project(acme):
    return ProjectFactory(workspace=acme, name="support")


@pytest.fixture
def told(api, project):
    """`told(select=..)` returns the statistics of the project."""

    def ask(**body):
        answer = api.post("/runs/stats", {"session": [str(project.uuid)], **body})
        assert answer.status_code == 200, answer.json()
        return answer.json()

    return ask


def calls(project, n: int = 3) -> list:
    """Make n model calls of 10, 20, .. tokens, as many seconds and halves of a dollar."""
    return [
        make_run(
            project,
            run_type="llm",
            name="fast" if number == 1 else "slow",
            tags=["a", "b"] if number == 1 else ["b"],
            start_time=NOON,
            end_time=NOON + timedelta(seconds=number),
            prompt_tokens=6 * number,
            completion_tokens=4 * number,
            total_tokens=10 * number,
            total_cost=str(number / 2),
            usage_details={"prompt_token_details": {"cache_read": number}},
            metadata={"tier": "gold"} if number == 1 else {},
        )
        for number in range(1, n + 1)
    ]


def test_every_figure_of_the_hosted_service_is_returned(project, told) -> None:
    calls(project)
    figures = told()
    assert {name: figures[name] for name in ("latency_p50", "latency_avg")} == {
        "latency_p50": 2.0,
        "latency_avg": 2.0,
    }
    assert (figures["median_tokens"], figures["tokens_p99"]) == (20, 30)
    assert (figures["prompt_tokens_p50"], figures["prompt_tokens_p99"]) == (12, 18)
    assert (figures["completion_tokens_p50"], figures["completion_tokens_p99"]) == (8, 12)
    assert (figures["cost_p50"], figures["cost_p99"]) == (1.0, 1.5)
    assert figures["feedback_stats"] == {}
    assert "prompt_token_details" not in figures
    assert told(include_details=True)["prompt_token_details"] == {"cache_read": 6}


def test_only_selected_statistics_are_returned(project, told) -> None:
    calls(project)
    assert told(select=["run_count", "latency_p50"]) == {"run_count": 3, "latency_p50": 2.0}
    assert told(select=["feedback_stats"]) == {"feedback_stats": {}}
    together = told(select=["all_run_stats", "all_token_stats"])
    assert {"run_count", "error_rate", "total_tokens", "cost_p99"} <= together.keys()
    assert "feedback_stats" not in together
    assert told(select=["group_count"]) == {}
    details = told(select=["prompt_token_details", "completion_cost_details"])
    assert details == {
        "prompt_token_details": {"cache_read": 6},
        "completion_cost_details": {},
    }


def test_feedback_is_of_exactly_the_runs_that_are_meant(project, acme, told) -> None:
    first, second, _ = calls(project)
    judge(first, "helpful", 1.0, comment="yes")
    judge(second, "helpful", 0.0)
    judge(second, "tone", value="warm")
    judge(second, "helpful", 0.9, comparative_experiment_id=uuid4())
    elsewhere = make_run(ProjectFactory(workspace=acme))
    judge(elsewhere, "helpful", 0.0)
    both = told()["feedback_stats"]
    assert (both["helpful"]["n"], both["helpful"]["avg"]) == (2, 0.5)
    assert both["tone"]["values"] == {"warm": 1}
    narrowed = told(filter='eq(name, "fast")')["feedback_stats"]
    assert (narrowed["helpful"]["avg"], "tone" in narrowed) == (1.0, False)
    assert told(id=[str(second.id)])["feedback_stats"]["helpful"]["avg"] == 0.0
    assert told(query="nothing like this")["feedback_stats"] == {}


def test_feedback_of_projects_and_threads_is_returned_when_selected(project, acme, told) -> None:
    make_run(project, metadata={"thread_id": "t1"})
    Feedback.objects.create(workspace=acme, project=project, key="summary", score=0.5)
    Feedback.objects.create(
        workspace=acme, project=project, key="mood", score=1, feedback_thread_id="t1"
    )
    Feedback.objects.create(
        workspace=acme, project=project, key="mood", score=0, feedback_thread_id="t2"
    )
    found = told(select=["session_feedback_stats", "thread_feedback_stats"])
    assert found["session_feedback_stats"]["summary"]["avg"] == 0.5
    assert found["thread_feedback_stats"]["mood"]["n"] == 1
    assert found["thread_feedback_stats"]["mood"]["avg"] == 1.0


def test_facets_are_values_to_filter_by(api, project, told) -> None:
    calls(project)
    facets = told()["run_facets"]
    assert facets[0] == {"key": "name", "value": "slow", "n": 2, "query": 'eq(name, "slow")'}
    assert {(one["key"], one["value"], one["n"]) for one in facets} == {
        ("name", "slow", 2),
        ("name", "fast", 1),
        ("run_type", "llm", 3),
        ("status", "success", 3),
        ("tag", "b", 3),
        ("tag", "a", 1),
    }
    for facet in facets:
        assert told(filter=facet["query"], select=["run_count"]) == {"run_count": facet["n"]}


def test_a_group_has_everything_of_its_runs_alone(project, told) -> None:
    first, second, _ = calls(project)
    judge(first, "helpful", 1.0)
    judge(second, "helpful", 0.0)
    by_name = told(group_by={"attribute": "name"}, include_details=True)
    assert {name: stats["run_count"] for name, stats in by_name.items()} == {"slow": 2, "fast": 1}
    assert by_name["fast"]["feedback_stats"]["helpful"]["avg"] == 1.0
    assert by_name["slow"]["feedback_stats"]["helpful"]["avg"] == 0.0
    assert by_name["fast"]["prompt_token_details"] == {"cache_read": 1}
    assert {"key": "tag", "value": "a", "n": 1, "query": 'has(tags, "a")'} in by_name["fast"][
        "run_facets"
    ]
    by_tag = told(group_by={"attribute": "tag"})
    assert by_tag["b"]["feedback_stats"]["helpful"]["n"] == 2
    assert by_tag["a"]["feedback_stats"]["helpful"]["n"] == 1


def test_groups_are_chosen_by_name_null_for_runs_without_the_attribute(project, told) -> None:
    bare = calls(project)
    by_tier = {"group_by": {"attribute": "metadata", "path": "tier"}, "select": ["run_count"]}
    assert told(**by_tier) == {"gold": {"group_count": 1, "run_count": 1}}
    assert told(**by_tier, groups=[None]) == {"null": {"group_count": 1, "run_count": 2}}
    judge(bare[1], "tone", value="cold", comment="brr")
    unlabelled = told(group_by=by_tier["group_by"], groups=[None])["null"]["feedback_stats"]["tone"]
    assert (unlabelled["values"], unlabelled["comments"]) == ({"cold": 1}, ["brr"])
    both = told(**by_tier, groups=["gold", None, "silver"])
    assert {name: stats["run_count"] for name, stats in both.items()} == {"null": 2, "gold": 1}
    by_tag = {"group_by": {"attribute": "tag"}, "select": ["run_count"]}
    assert told(**by_tag, groups=["a"])["a"]["run_count"] == 1
    make_run(project, name="bare", start_time=NOON)
    assert told(**by_tag, groups=[None])["null"]["run_count"] == 1


def test_five_groups_are_returned_by_default(project, told) -> None:
    for number in range(7):
        make_run(project, name=f"n{number}")
    few = told(group_by={"attribute": "name"}, select=["run_count"])
    assert (len(few), few["n0"]["group_count"]) == (5, 7)
    assert len(told(group_by={"attribute": "name", "max_groups": 7})) == 7


def test_roots_sum_up_what_was_spent_below_them_details_too(project, told) -> None:
    root = make_run(project)
    make_run(
        project,
        parent=root,
        run_type="llm",
        total_tokens=10,
        total_cost="0.5",
        usage_details={"prompt_token_details": {"cache_read": 4}},
    )
    figures = told(is_root=True, include_details=True)
    assert (figures["run_count"], figures["total_tokens"], figures["total_cost"]) == (1, 10, 0.5)
    assert figures["prompt_token_details"] == {"cache_read": 4}
    assert told(data_source_type="root_lite")["total_tokens"] == 10


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"select": ["cost_p42"]}, "select: 'cost_p42' is not a figure of runs"),
        ({"select": "run_count"}, "select: "),
        ({"groups": ["a"]}, "groups: needs group_by"),
        ({"groups": "a", "group_by": {"attribute": "name"}}, "groups: "),
        ({"groups": [1], "group_by": {"attribute": "name"}}, "groups.0: "),
        ({"group_by": "name"}, "group_by: "),
        ({"group_by": {"attribute": "metadata"}}, "group_by.path: "),
        ({"group_by": {"attribute": "name", "max_groups": 0}}, "group_by.max_groups: "),
        ({"include_details": "yes"}, "include_details: "),
        ({"data_source_type": "cold"}, "data_source_type: "),
    ],
)
def test_a_wrong_body_is_400_and_names_the_field(api, body, said) -> None:
    answer = api.post("/runs/stats", body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_statistics_cost_the_same_queries_however_many_runs(
    api, project, django_assert_max_num_queries
) -> None:
    for run in calls(project, 30):
        judge(run, "helpful", 1.0)
    body = {"session": [str(project.uuid)], "group_by": {"attribute": "name"}}
    # key and its last use, then savepoint, timeout, projects, statement, release a kind
    with django_assert_max_num_queries(17):
        assert len(api.post("/runs/stats", body).json()) == 2
