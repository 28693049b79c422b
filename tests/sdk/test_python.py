"""The unmodified Python SDK against a live server: the programs of the second seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import requests
from langsmith import Client, schemas, utils
from langsmith.run_helpers import traceable, tracing_context

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def project() -> str:
    return f"python-{uuid4().hex[:8]}"


def traced_run(client: Client, project: str, **outputs) -> UUID:
    """Trace one step and return the id of its run; nothing waits for it to be stored."""
    run_id = uuid4()

    @traceable(name="answer", client=client)
    def answer(question: str) -> dict:
        return {"answer": "because", **outputs}

    with tracing_context(enabled=True, project_name=project):
        answer("why?", langsmith_extra={"run_id": run_id})
    return run_id


# The programs of the seed -------------------------------------------------------------------------


def test_answers_are_routed_to_a_queue_while_their_runs_are_still_being_traced(
    client, project, run_python
) -> None:
    queue = client.create_annotation_queue(
        name="Doubtful answers",
        description="Routed by the program",
        rubric_instructions="Is it right?",
        rubric_items=[
            {
                "feedback_key": "correctness",
                "description": "Is it right?",
                "value_descriptions": {"Wrong": "any factual error", "Right": "nothing to add"},
                "is_required": True,
            }
        ],
    )
    answers = run_python("annotation_routing", project, REVIEW_QUEUE_ID=str(queue.id))
    assert [answer["routed_to_review"] for answer in answers] == [False, True, True, False, True]
    assert [answer["confidence"] for answer in answers] == [95, 42, 80, 80, 95]

    routed = {answer["run_id"]: answer for answer in answers if answer["routed_to_review"]}
    queued = list(client.list_runs_from_annotation_queue(queue.id))
    assert [str(run.id) for run in queued] == list(routed)
    for run in queued:
        assert isinstance(run, schemas.RunWithAnnotationQueueInfo)
        assert run.name == "answer-with-confidence-routing"
        assert run.outputs["routing_reason"] == routed[str(run.id)]["routing_reason"]
        assert run.added_at is not None
    first = client.get_run_from_annotation_queue(queue.id, index=0)
    assert str(first.id) == next(iter(routed))
    assert first.inputs == {
        "question": "Is it 42% or so?",
        "user_id": "user-2",
        "user_tier": "standard",
    }

    for run_id, answer in routed.items():
        (feedback,) = client.list_feedback(run_ids=[run_id])
        assert (feedback.key, feedback.score) == ("routed_for_review", 0.5)
        assert feedback.comment == answer["routing_reason"]
        assert feedback.feedback_source.type == "api"
        stats = client.read_run(run_id).feedback_stats["routed_for_review"]
        assert (stats["n"], stats["avg"]) == (1, 0.5)


def test_thumbs_and_details_are_read_back_and_find_their_runs(client, project, run_python) -> None:
    runs = run_python("user_feedback", project)
    happy, unhappy, misled = runs["happy"], runs["unhappy"], runs["misled"]

    (thumb,) = client.list_feedback(run_ids=[happy])
    assert (thumb.key, thumb.score, thumb.comment) == ("user_rating", 1.0, "Great!")
    assert thumb.feedback_source.metadata["source"] == "thumbs_ui"
    assert str(thumb.run_id) == happy

    given = {feedback.key: feedback for feedback in client.list_feedback(run_ids=[unhappy])}
    assert set(given) == {"user_rating", "failure_category"}
    assert given["user_rating"].score == 0.0
    assert given["user_rating"].correction == "Your plan ends tomorrow."
    assert given["failure_category"].score == 0.4
    assert given["failure_category"].comment == "too_long (severity 1): a novel"
    assert given["failure_category"].feedback_source.metadata["category"] == "too_long"
    assert {feedback.key for feedback in client.list_feedback(run_ids=[misled])} == {
        "failure_category",
        "needs_review",
    }

    # The question of the seed's curation: runs with negative user feedback
    negative = list(
        client.list_runs(
            project_name=project,
            filter='and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))',
            execution_order=1,  # top-level runs only, not child spans
            start_time=datetime.now() - timedelta(days=30),  # noqa: DTZ005 - as in the seed
            limit=200,
        )
    )
    assert [str(run.id) for run in negative] == [unhappy]
    assert negative[0].inputs == {"user_query": "how?"}
    assert negative[0].outputs["response"] == "Your plan ends today."
    assert negative[0].feedback_stats["user_rating"]["avg"] == 0.0

    def found(text: str) -> set[str]:
        return {str(run.id) for run in client.list_runs(project_name=project, filter=text)}

    assert found('eq(feedback_key, "needs_review")') == {misled}
    assert found('and(eq(feedback_key, "user_rating"), gte(feedback_score, 0.4))') == {happy}
    assert found('has(tags, "support")') == {happy, unhappy, misled}


def test_a_pipeline_is_one_trace_of_four_runs(client, project, run_python) -> None:
    answer = run_python("rag_pipeline", project)
    root = client.read_run(answer["run_id"], load_child_runs=True)
    assert root.name == "rag-pipeline"
    assert root.outputs["answer"] == "The plan costs 10 euros [kb-v3]."
    assert root.metadata["user_id"] == "user-7"
    assert root.metadata["num_query_expansions"] == 4
    assert [child.name for child in root.child_runs] == [
        "query-expansion",
        "retrieval",
        "synthesis",
    ]
    assert all(
        child.trace_id == root.id and child.parent_run_id == root.id for child in root.child_runs
    )
    retrieval = root.child_runs[1]
    assert (retrieval.metadata["docs_before_dedup"], retrieval.metadata["docs_after_dedup"]) == (
        20,
        4,
    )
    assert client.read_project(project_name="production-rag").id == root.session_id
    roots = client.list_runs(project_name="production-rag", is_root=True)
    assert answer["run_id"] in {str(run.id) for run in roots}


def test_low_rated_runs_are_curated_into_a_dataset_that_is_read_back(
    client, project, run_python
) -> None:
    runs = run_python("user_feedback", project)
    assert run_python("curation", project) == {"added": 1}
    (example,) = client.list_examples(dataset_name=f"failures of {project}")
    assert example.inputs == {"user_query": "how?"}
    assert example.outputs["response"] == "Your plan ends today."
    assert example.metadata["source_run_id"] == runs["unhappy"]
    assert example.metadata["user_score"] == 0.0
    golden = list(client.list_examples(dataset_name=f"golden {project}"))
    tiers = {example.inputs["customer_tier"] for example in golden}
    assert tiers == {"enterprise", "free", "premium"}
    named = client.list_datasets(dataset_name_contains=project)
    assert {dataset.name for dataset in named} == {f"failures of {project}", f"golden {project}"}


# Feedback -----------------------------------------------------------------------------------------


def test_feedback_is_created_read_changed_listed_and_deleted(client, project) -> None:
    run_id = traced_run(client, project)
    client.flush()
    session_id = client.read_run(run_id).session_id
    judge = uuid4()
    made = client.create_feedback(
        run_id,
        "quality",
        score=0.123456,
        value={"sub": {"grammar": 1}},
        comment="fine",
        correction={"outputs": {"answer": "so that"}},
        feedback_source_type="model",
        source_info={"model": "a judge"},
        source_run_id=judge,
        feedback_id=uuid4(),
        feedback_config={"type": "continuous", "min": 0, "max": 1, "categories": None},
        session_id=session_id,
        extra={"a": 1},
    )
    read = client.read_feedback(made.id)
    assert read.id == made.id
    assert read.run_id == run_id
    assert read.session_id == session_id
    assert read.score == pytest.approx(0.1235)
    assert (read.value, read.comment, read.correction) == (made.value, "fine", made.correction)
    assert read.feedback_source.type == "model"
    assert read.feedback_source.metadata == {"model": "a judge", "__run": {"run_id": str(judge)}}
    assert read.extra == {"a": 1}
    assert datetime.now(UTC) - read.created_at < timedelta(minutes=5)

    client.update_feedback(made.id, score=True, comment="better", correction={"answer": "yes"})
    read = client.read_feedback(made.id)
    assert (read.score, read.comment, read.correction) == (1.0, "better", {"answer": "yes"})
    assert read.modified_at > read.created_at

    client.create_feedback(run_id, "note", comment="words only")
    listed = client.list_feedback(
        run_ids=[run_id], feedback_source_type=[schemas.FeedbackSourceType.MODEL]
    )
    assert [feedback.id for feedback in listed] == [made.id]
    listed = client.list_feedback(
        run_ids=[run_id], feedback_key=["note"], has_score=False, has_comment=True
    )
    assert [feedback.comment for feedback in listed] == ["words only"]
    assert len(list(client.list_feedback(run_ids=[run_id], limit=1))) == 1
    client.delete_feedback(made.id)
    with pytest.raises(utils.LangSmithNotFoundError):
        client.read_feedback(made.id)
    assert [feedback.key for feedback in client.list_feedback(run_ids=[run_id])] == ["note"]


def test_feedback_sent_in_the_background_with_its_trace_arrives_with_it(client, project) -> None:
    run_id = traced_run(client, project)
    client.create_feedback(run_id, "thumb", score=1, trace_id=run_id, comment="in a part")
    client.create_feedback(key="of the trace", score=0, trace_id=run_id)
    client.flush()
    given = {feedback.key: feedback for feedback in client.list_feedback(run_ids=[run_id])}
    assert set(given) == {"thumb", "of the trace"}
    assert given["thumb"].comment == "in a part"
    assert given["thumb"].trace_id == run_id
    assert set(client.read_run(run_id).feedback_stats) == {"thumb", "of the trace"}


def test_feedback_may_come_before_its_run_and_counts_when_it_is_there(client, project) -> None:
    run_id = uuid4()
    client.create_feedback(run_id, "early", score=1)
    (early,) = client.list_feedback(run_ids=[run_id])
    assert early.session_id is None
    client.create_run(
        "late",
        {"question": "?"},
        "chain",
        id=run_id,
        project_name=project,
        start_time=datetime.now(UTC),
    )
    client.flush()
    (early,) = client.list_feedback(run_ids=[run_id])
    assert early.session_id == client.read_project(project_name=project).id
    assert client.read_run(run_id).feedback_stats["early"]["n"] == 1


def test_more_than_a_page_of_feedback_is_listed_whole_and_newest_first(client) -> None:
    run_id = uuid4()
    ids = [client.create_feedback(run_id, f"key {n:03}", score=n).id for n in range(120)]
    listed = list(client.list_feedback(run_ids=[run_id]))
    assert [feedback.id for feedback in listed] == ids[::-1]


def test_an_unstorable_run_is_an_error_with_a_reason(client) -> None:
    with pytest.raises(utils.LangSmithError, match="key: must have at most 180 characters"):
        client.create_feedback(uuid4(), "k" * 181, score=1)


def test_presigned_tokens_are_made_listed_and_redeemed_without_a_key(client, server) -> None:
    run_id = uuid4()
    one = client.create_presigned_feedback_token(run_id, "rating", expiration=timedelta(days=1))
    many = client.create_presigned_feedback_tokens(
        run_id, ["a", "b"], expiration=datetime.now(UTC) + timedelta(days=2)
    )
    assert {token.id for token in client.list_presigned_feedback_tokens(run_id)} == {
        one.id,
        *(token.id for token in many),
    }
    assert one.url.startswith(server.endpoint)
    client.create_feedback_from_token(one.url, score=1, comment="by url", metadata={"page": "x"})
    client.create_feedback_from_token(
        many[0].url.rsplit("/", 1)[1], value="by token", correction={"a": 1}
    )
    assert requests.get(many[1].url, params={"score": 0.5}, timeout=10).ok
    given = {feedback.key: feedback for feedback in client.list_feedback(run_ids=[run_id])}
    assert (given["rating"].score, given["rating"].comment) == (1.0, "by url")
    assert (given["a"].value, given["a"].correction) == ("by token", {"a": 1})
    assert given["b"].score == 0.5
    with pytest.raises(utils.LangSmithNotFoundError):
        client.create_feedback_from_token(uuid4(), score=1)


def test_scales_are_declared_and_enforced(client) -> None:
    key = f"stars-{uuid4().hex[:6]}"
    stars = {"type": "continuous", "min": 1, "max": 5}
    declared = client.create_feedback_config(
        key, feedback_config=stars, is_lower_score_better=False
    )
    assert declared.feedback_config["max"] == 5
    assert [config.feedback_key for config in client.list_feedback_configs(feedback_key=[key])] == [
        key
    ]
    with pytest.raises(utils.LangSmithError, match="another feedback_config"):
        client.create_feedback_config(key, feedback_config={"type": "freeform"})
    assert client.update_feedback_config(key, is_lower_score_better=True).is_lower_score_better
    client.delete_feedback_config(key)
    assert list(client.list_feedback_configs(feedback_key=[key])) == []


# Queues -------------------------------------------------------------------------------------------


def test_a_queue_is_made_filled_read_renamed_and_deleted(client, project) -> None:
    run_id = traced_run(client, project)
    queue = client.create_annotation_queue(name="By hand", queue_id=uuid4(), description="d")
    client.add_runs_to_annotation_queue(queue.id, run_ids=[run_id])
    client.flush()
    run = client.read_run(run_id)
    later = traced_run(client, project)
    client.flush()
    keys = [
        {"run_id": id_, "session_id": run.session_id, "start_time": run.start_time}
        for id_ in (run_id, later)
    ]
    client.add_runs_to_annotation_queue(queue.id, runs=keys)
    assert [item.id for item in client.list_runs_from_annotation_queue(queue.id)] == [run_id, later]
    client.delete_run_from_annotation_queue(queue.id, run_id=run_id)
    assert [
        item.id
        for item in client.list_runs_from_annotation_queue(queue.id, status="needs_my_review")
    ] == [later]
    client.update_annotation_queue(queue.id, name="Renamed", rubric_instructions="look twice")
    read = client.read_annotation_queue(queue.id)
    assert (read.name, read.description, read.rubric_instructions) == ("Renamed", "d", "look twice")
    assert [
        found.id for found in client.list_annotation_queues(name="Renamed", queue_ids=[queue.id])
    ] == [queue.id]
    client.delete_annotation_queue(queue.id)
    with pytest.raises(utils.LangSmithNotFoundError):
        client.read_annotation_queue(queue.id)


@pytest.mark.parametrize("path", ["", "/api", "/api/v1"])
def test_an_endpoint_may_be_given_in_any_of_its_forms(server, path) -> None:
    run_id = uuid4()
    client = Client(api_url=f"{server.url}{path}", api_key=server.key)
    made = client.create_feedback(run_id, "k", score=1)
    assert client.read_feedback(made.id).run_id == run_id
    assert [feedback.id for feedback in client.list_feedback(run_ids=[run_id])] == [made.id]
    assert list(client.list_annotation_queues(name="absent")) == []
    assert client.info.version


def test_a_wrong_key_is_an_authentication_error(server) -> None:
    client = Client(api_url=server.endpoint, api_key="obs_wrong")
    with pytest.raises(utils.LangSmithAuthError):
        list(client.list_feedback(run_ids=[uuid4()]))
