"""The unmodified JavaScript SDK against a live server: the examples of the first seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from operator import itemgetter
from uuid import uuid4

import pytest

from tests.sdk import versions

pytestmark = pytest.mark.sdk


@pytest.fixture
def project() -> str:
    return f"javascript-{uuid4().hex[:8]}"


def by_key(feedback):
    return {item["key"]: item for item in feedback}


def test_feedback_in_all_its_forms_is_created_read_changed_listed_and_deleted(
    run_node, project
) -> None:
    told = run_node("feedback", project)
    read, run_id = told["read"], told["runId"]
    assert all(
        item["run_id"] == run_id and item["id"] == told["ids"][key] for key, item in read.items()
    )
    assert (read["user_rating"]["score"], read["user_rating"]["comment"]) == (1, "Great response!")
    assert read["user_rating"]["feedback_source"]["type"] == "api"
    assert read["accuracy"]["score"] == 0.95
    assert read["correctness"]["correction"] == {"outputs": {"answer": "Correct answer"}}
    assert read["coherence"]["feedback_source"]["type"] == "model"
    assert read["coherence"]["feedback_source"]["metadata"] == {
        "model": "gpt-4",
        "model_version": "2024-01-01",
        "__run": {"run_id": told["judgeRunId"]},
    }
    assert (read["category"]["value"], read["category"]["score"]) == ("factual_question", 1)
    assert read["safety"]["feedback_source"]["metadata"]["reviewer"] == "safety_team"
    assert (read["response_type"]["value"], read["response_type"]["score"]) == ("factual", None)
    assert read["stars"]["score"] == 4
    assert read["thumb"]["score"] == 1
    assert read["thumb"]["value"] == {"subscores": {"grammar": 0.95, "relevance": 0.9}}
    assert read["thumb"]["trace_id"] == run_id
    assert read["thumb"]["id"] == "0198c0de-0000-7000-8000-000000000001"
    # The run has arrived by now: all that was said of it belongs to its project
    assert len({item["session_id"] for item in read.values()} - {None}) == 1

    owner = told["project"]
    assert (told["overall"]["run_id"], told["overall"]["session_id"]) == (None, owner["id"])
    assert owner["session_feedback_stats"]["overall"]["avg"] == 0.5
    assert told["preferred"]["comparative_experiment_id"].endswith("c0")
    assert "accuracy" in told["judged"]
    assert not {"preferred", "overall"} & told["judged"].keys()
    turned = told["turned"]
    assert (turned["score"], turned["value"], turned["comment"]) == (0, "down", "changed")
    assert turned["correction"] == {"answer": "no"}

    assert (told["updated"]["score"], told["updated"]["comment"]) == (0.98, "Updated after review")
    assert told["goneRead"]["status"] == told["goneDelete"]["status"] == 404
    assert told["tooLong"]["status"] == 422
    assert "key: must have at most 180 characters" in told["tooLong"]["message"]
    assert told["unknownRun"] is None

    assert set(by_key(told["ofKeys"])) == {"accuracy", "correctness"}
    assert set(by_key(told["ofPeople"])) == {"thumb"}
    assert set(by_key(told["ofModels"])) == {"coherence"}
    assert set(by_key(told["ofRun"])) == set(read) - {"stars"} | {"preferred"}


def test_a_page_without_a_key_redeems_presigned_tokens(run_node, project) -> None:
    told = run_node("tokens", project)
    tokens, redeemed = told["tokens"], told["redeemed"]
    left = {
        name: datetime.fromisoformat(token["expires_at"]) - datetime.now(UTC)
        for name, token in tokens.items()
    }
    assert timedelta(days=6) < left["week"] < timedelta(days=7)
    assert timedelta(minutes=50) < left["hour"] < timedelta(hours=1)
    assert timedelta(hours=2) < left["usual"] < timedelta(hours=3)
    assert timedelta(days=29) < left["until"] < timedelta(days=30)
    assert left["past"] < timedelta(0)
    assert (
        redeemed["first"]
        == redeemed["again"]
        == redeemed["onScale"]
        == {"status": 200, "cors": "*"}
    )
    assert redeemed["offScale"] == {"status": 422, "cors": "*"}
    assert redeemed["byLink"] == {"status": 200}
    assert redeemed["expired"] == redeemed["unknown"] == {"status": 404, "cors": "*"}
    assert {token["url"] for token in told["listed"]} == {token["url"] for token in tokens.values()}
    recorded = [(item["key"], item["score"], item["comment"]) for item in told["feedback"]]
    assert sorted(recorded, key=itemgetter(0, 1)) == [
        ("correctness", 1, "by mail"),
        ("quality_rating", 4, None),
        ("user_rating", 0, "changed my mind"),
        ("user_rating", 1, "thanks"),
    ]


def test_flagged_runs_are_found_judged_and_turned_into_corrections(run_node, project) -> None:
    told = run_node("reviewing", project)
    first, second = told["flagged"]
    assert {run["id"] for run in told["annotated"]} == {first, second}
    assert told["run"]["id"] == first
    assert told["run"]["inputs"] == {"question": "one"}
    assert told["run"]["outputs"]["answer"] == "about one"
    assert [result["key"] for result in told["results"]] == ["coherence", "correctness"]
    assert told["flatForm"] is not None  # the SDK itself refuses it
    feedback = [item for item in told["feedback"] if item["run_id"] == first]
    given = by_key(feedback)
    assert set(given) == {"human_rating", "coherence", "correctness"}
    assert given["human_rating"]["feedback_source"]["type"] == "app"
    assert given["coherence"]["value"]["subscores"]["completeness"] == 0.91
    assert given["coherence"]["feedback_source"]["metadata"] == {
        "evaluator": "gpt-4",
        "temperature": 0.1,
        "version": "2024-01",
    }
    assert given["coherence"]["trace_id"] == first
    assert given["correctness"]["feedback_source"]["metadata"]["__run"] == {"run_id": told["plain"]}
    (correction,) = told["corrections"]
    assert correction["input"] == {"question": "one"}
    assert correction["incorrect"]["answer"] == "about one"
    assert correction["correct"] == {"answer": "something else"}
    assert {run["id"] for run in told["low"]} == {first, second}
    assert told["low"][0]["feedback_stats"]["human_rating"]["avg"] == 0.5
    assert told["unknown"]["status"] == 404


# The SDK of a year ago has no createFeedbackConfig and no listRunsFromAnnotationQueue.
@pytest.mark.parametrize("release", [versions.NEWEST])
def test_a_queue_is_made_filled_read_renamed_and_deleted(run_node, project) -> None:
    told = run_node("queues", project)
    assert [run["id"] for run in told["listed"]] == [told["first"], told["second"]]
    assert [run["name"] for run in told["listed"]] == ["answer", "answer"]
    assert told["size"] == {"size": 2}
    assert told["at"] == told["second"]
    assert told["beyond"]["status"] == told["gone"]["status"] == 404
    assert told["left"] == [told["first"]]
    assert told["items"] == ["RUN", "THREAD"]
    assert (told["viewed"]["status"], told["viewed"]["is_archived"]) == ("viewed", False)
    assert (told["placed"]["section"], told["placed"]["position"]) == ("needs_my_review", 1)
    assert (told["count"], told["archived"]) == ({"count": 1}, {"size": 0})
    assert (told["exported"], told["retrieved"]) == ("queue_run_id", "single")
    assert told["read"]["name"] == "Renamed"
    assert told["read"]["rubric_instructions"] == "Read all of it."
    (item,) = told["read"]["rubric_items"]
    assert (item["feedback_key"], item["is_required"]) == ("js_stars", True)
    assert item["feedback_config"]["feedback_config"]["max"] == 5
    assert [queue["name"] for queue in told["found"]] == ["Renamed"]
    assert told["declared"]["feedback_config"]["min"] == 1
    assert told["changed"]["is_lower_score_better"] is True
    assert [config["feedback_key"] for config in told["configs"]] == ["js_stars"]
    assert told["withdrawn"] == []
