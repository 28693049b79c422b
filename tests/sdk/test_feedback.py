"""Feedback by the unmodified Python SDK, keyword by keyword, against a live server."""

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
    return f"feedback-{uuid4().hex[:8]}"


@pytest.fixture
def run_id(client, project) -> UUID:
    return answered(client, project)


def answered(client: Client, project: str) -> UUID:
    """Trace one run and return its id."""

    @traceable(client=client)
    def answer(question: str) -> dict:
        return {"answer": question.upper()}

    run_id = uuid4()
    with tracing_context(enabled=True, project_name=project):
        answer("why", langsmith_extra={"run_id": run_id})
    client.flush()
    return run_id


@pytest.mark.parametrize(
    ("score", "read"),
    [(1, 1), (0.123456, 0.1235), (True, 1), (False, 0), (-7, -7), (None, None)],
)
def test_a_score_is_a_number_or_a_boolean(client, run_id, score, read) -> None:
    made = client.create_feedback(run_id, "tone", score=score)
    assert client.read_feedback(made.id).score == read


@pytest.mark.parametrize("value", [1, 0.5, True, "warm", {"a": [1, {"b": None}]}, None, ""])
def test_a_value_is_any_json_but_a_list(client, run_id, value) -> None:
    made = client.create_feedback(run_id, "tone", value=value)
    assert client.read_feedback(made.id).value == value


@pytest.mark.parametrize("is_background", [True, False])
def test_every_keyword_of_create_feedback_is_kept(client, project, run_id, is_background) -> None:
    judge, feedback_id, group, comparison = (
        answered(client, "evaluators"),
        uuid4(),
        uuid4(),
        uuid4(),
    )
    owner = client.read_project(project_name=project)
    made = client.create_feedback(
        run_id,
        "tone",
        score=0.5,
        value={"label": "warm"},
        correction={"answer": "because"},
        comment="kind",
        trace_id=run_id if is_background else None,
        source_info={"model": "m1"},
        feedback_source_type=schemas.FeedbackSourceType.MODEL,
        source_run_id=judge,
        feedback_id=feedback_id,
        feedback_config={"type": "continuous", "min": 0, "max": 1, "categories": None},
        stop_after_attempt=1,
        session_id=owner.id,
        start_time=datetime.now(UTC),
        comparative_experiment_id=comparison,
        feedback_group_id=group,
        extra={"any": {"thing": 1}},
        error=True,
        extend_trace_retention=is_background,
    )
    client.flush()
    assert made.id == feedback_id
    read = client.read_feedback(feedback_id)
    assert (read.run_id, read.trace_id, read.session_id) == (run_id, run_id, owner.id)
    assert (read.key, read.score, read.value) == ("tone", 0.5, {"label": "warm"})
    assert (read.correction, read.comment) == ({"answer": "because"}, "kind")
    assert read.feedback_source.type == "model"
    assert read.feedback_source.metadata == {"model": "m1", "__run": {"run_id": str(judge)}}
    assert (read.comparative_experiment_id, read.feedback_group_id) == (comparison, group)
    assert read.extra == {"any": {"thing": 1}}
    assert read.start_time == client.read_run(run_id).start_time
    assert read.created_at <= read.modified_at <= datetime.now(UTC)
    assert "tone" not in client.read_run(run_id).feedback_stats  # what compares is apart


def test_an_evaluator_that_failed_is_counted_as_an_error(client, run_id) -> None:
    client.create_feedback(run_id, "tone", comment="the judge is away", error=True)
    client.create_feedback(run_id, "tone", score=1.0)
    stats = client.read_run(run_id).feedback_stats["tone"]
    assert (stats["n"], stats["errors"], stats["avg"]) == (2, 1, 1)


def test_feedback_on_a_project_is_returned_with_the_project(client, project, run_id) -> None:
    owner = client.read_project(project_name=project)
    made = client.create_feedback(None, "overall", score=0.5, project_id=owner.id)
    read = client.read_feedback(made.id)
    assert (read.run_id, read.session_id) == (None, owner.id)
    told = client.read_project(project_id=owner.id, include_stats=True)
    assert told.session_feedback_stats["overall"]["avg"] == 0.5
    assert "overall" not in told.feedback_stats
    listed = client.list_feedback(session=[str(owner.id)], level="session")
    assert [one.id for one in listed] == [made.id]


def test_the_same_id_again_is_one_feedback_and_an_update_keeps_what_it_does_not_name(
    client, run_id
) -> None:
    made = client.create_feedback(run_id, "tone", score=0, feedback_id=uuid4(), comment="first")
    client.create_feedback(run_id, "tone", score=1, feedback_id=made.id, comment="again")
    (read,) = client.list_feedback(run_ids=[run_id])
    assert (read.score, read.comment) == (1, "again")
    client.update_feedback(made.id, score=0.25)
    client.update_feedback(made.id, value="cold")
    client.update_feedback(made.id, correction={"answer": "no"})
    client.update_feedback(made.id, comment="changed")
    read = client.read_feedback(made.id)
    assert (read.score, read.value, read.correction, read.comment) == (
        0.25,
        "cold",
        {"answer": "no"},
        "changed",
    )
    with pytest.raises(utils.LangSmithNotFoundError):
        client.update_feedback(uuid4(), score=1)
    client.delete_feedback(made.id)
    with pytest.raises(utils.LangSmithNotFoundError):
        client.delete_feedback(made.id)


def test_every_filter_of_list_feedback_narrows_the_list(client, project, run_id) -> None:
    other = answered(client, project)
    before = datetime.now(UTC)
    comparison = uuid4()
    client.create_feedback(run_id, "tone", score=1.0)
    client.create_feedback(run_id, "note", comment="only words")
    client.create_feedback(other, "tone", value="warm", feedback_source_type="model")
    client.create_feedback(other, "better", score=1, comparative_experiment_id=comparison)
    owner = client.read_project(project_name=project)

    def keys(**asked) -> list[tuple[str, str]]:
        asked = {"run_ids": [run_id, other], **asked}
        names = {run_id: "run", other: "other"}
        return sorted((one.key, names[one.run_id]) for one in client.list_feedback(**asked))

    assert len(keys()) == 4
    assert keys(run_ids=[run_id]) == [("note", "run"), ("tone", "run")]
    assert keys(feedback_key=["tone"]) == [("tone", "other"), ("tone", "run")]
    assert keys(feedback_source_type=[schemas.FeedbackSourceType.MODEL]) == [("tone", "other")]
    assert keys(has_score=False) == [("note", "run"), ("tone", "other")]
    assert keys(has_comment=True) == [("note", "run")]
    assert keys(comparative_experiment_id=str(comparison)) == [("better", "other")]
    assert len(keys(session=[str(owner.id)])) == 4
    assert keys(session=[str(uuid4())]) == []
    assert len(keys(level="run")) == 4
    assert len(keys(min_created_at=before.isoformat())) == 4
    assert keys(max_created_at=before.isoformat()) == []
    assert keys(user=[str(uuid4())]) == []
    assert len(keys(include_user_names=True)) == 4
    assert len(list(client.list_feedback(run_ids=[run_id, other], limit=3))) == 3
    with pytest.raises(utils.LangSmithError, match="level: must be run or session"):
        keys(level="thread")


def test_tokens_are_made_one_by_one_or_together_listed_and_redeemed(client, run_id) -> None:
    feedback_id = uuid4()
    stars = {"type": "continuous", "min": 1, "max": 5, "categories": None}
    one = client.create_presigned_feedback_token(
        run_id,
        "stars",
        expiration=timedelta(days=1, hours=2, minutes=3),
        feedback_config=stars,
        feedback_id=feedback_id,
    )
    left = one.expires_at - datetime.now(UTC)
    assert timedelta(days=1, hours=2) < left <= timedelta(days=1, hours=2, minutes=3)
    usual = client.create_presigned_feedback_token(run_id, "usual")
    assert timedelta(hours=2, minutes=59) < usual.expires_at - datetime.now(UTC)
    both = client.create_presigned_feedback_tokens(
        run_id,
        ["a", "b"],
        expiration=datetime.now(UTC) + timedelta(hours=1),
        feedback_configs=[None, stars],
    )
    assert len({token.id for token in both}) == 2
    listed = list(client.list_presigned_feedback_tokens(run_id))
    assert {token.url for token in listed} == {token.url for token in (one, usual, *both)}
    assert len(list(client.list_presigned_feedback_tokens(run_id, limit=1))) == 1

    client.create_feedback_from_token(
        one.url, 4, value="four", comment="good", correction={"a": 1}, metadata={"page": "home"}
    )
    client.create_feedback_from_token(usual.url.rpartition("/")[2], score=True)
    given = {feedback.key: feedback for feedback in client.list_feedback(run_ids=[run_id])}
    assert given["stars"].id == feedback_id
    assert (given["stars"].score, given["stars"].value, given["stars"].comment) == (
        4,
        "four",
        "good",
    )
    assert given["stars"].correction == {"a": 1}
    assert given["stars"].feedback_source.metadata["page"] == "home"
    assert given["usual"].score == 1
    with pytest.raises(utils.LangSmithError):
        client.create_feedback_from_token(one.url, 9)  # off its scale


def test_a_token_is_redeemed_by_its_id_each_time_anew(client, run_id) -> None:
    token = client.create_presigned_feedback_token(run_id, "presence")
    client.create_feedback_from_token(token.id, score=1, comment="first")
    client.create_feedback_from_token(token.url, score=0, comment="second")
    given = {
        feedback.comment: feedback.score for feedback in client.list_feedback(run_ids=[run_id])
    }
    assert given == {"first": 1, "second": 0}


def test_a_scale_sent_with_feedback_is_declared(client, run_id) -> None:
    key = f"mood {uuid4()}"
    scale = {"type": "continuous", "min": 1, "max": 5, "categories": None}
    client.create_feedback(run_id, key, score=4, feedback_config=scale)
    (declared,) = client.list_feedback_configs(feedback_key=[key])
    assert declared.feedback_config == scale
    other = {"type": "continuous", "min": 0, "max": 9, "categories": None}
    client.create_feedback(run_id, key, score=8, feedback_config=other)
    (declared,) = client.list_feedback_configs(feedback_key=[key])
    assert declared.feedback_config == scale


def test_a_token_is_redeemed_by_a_link_and_not_after_its_end(client, run_id) -> None:
    link = client.create_presigned_feedback_token(run_id, "mail")
    answer = requests.get(
        link.url, {"score": "0.5", "value": "so so", "comment": "by mail"}, timeout=10
    )
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
    (given,) = client.list_feedback(run_ids=[run_id])
    assert (given.score, given.value, given.comment) == (0.5, "so so", "by mail")
    past = client.create_presigned_feedback_token(
        run_id, "late", expiration=datetime.now(UTC) - timedelta(seconds=1)
    )
    assert past.expires_at < datetime.now(UTC)
    for refused in (
        requests.get(past.url, {"score": "1"}, timeout=10),
        requests.post(past.url, json={"score": 1}, timeout=10),
    ):
        assert refused.status_code == 404
    with pytest.raises(utils.LangSmithNotFoundError):
        client.create_feedback_from_token(past.url, 1)


def test_a_scale_is_declared_listed_changed_enforced_and_withdrawn(client, run_id) -> None:
    key = f"scale-{uuid4().hex[:8]}"
    scale = {"type": "continuous", "min": 0.0, "max": 1.0, "categories": None}
    made = client.create_feedback_config(
        key, feedback_config=scale, is_lower_score_better=True, is_enforced=True
    )
    assert (made.feedback_key, made.is_lower_score_better, made.is_enforced) == (key, True, True)
    again = client.create_feedback_config(key, feedback_config=scale)
    assert (again.is_lower_score_better, again.is_enforced) == (True, True)
    with pytest.raises(utils.LangSmithError, match="400"):
        client.create_feedback_config(key, feedback_config={**scale, "max": 5})
    with pytest.raises(utils.LangSmithError, match="score"):
        client.create_feedback(run_id, key, score=7)
    changed = client.update_feedback_config(key, feedback_config={**scale, "max": 10})
    assert (changed.feedback_config["max"], changed.is_lower_score_better) == (10, True)
    client.create_feedback(run_id, key, score=7)
    assert (
        client.update_feedback_config(key, is_lower_score_better=False).feedback_config["max"] == 10
    )
    assert [one.feedback_key for one in client.list_feedback_configs(feedback_key=[key])] == [key]
    found = client.list_feedback_configs(name_contains=key[2:].upper(), limit=5)
    assert [one.feedback_key for one in found] == [key]
    assert list(client.list_feedback_configs(feedback_key=[key], offset=1)) == []
    enforced = client.list_feedback_configs(feedback_key=[key], is_enforced=True)
    assert [one.id for one in enforced] == [made.id]
    every = client.list_feedback_configs(feedback_key=[key], include_all_configs=True)
    assert [(one.is_first, one.is_deleted) for one in every] == [(True, False)]
    client.update_feedback_config(key, config_id=made.id, is_lower_score_better=True)
    with pytest.raises(utils.LangSmithNotFoundError):
        client.update_feedback_config(key, config_id=uuid4(), is_lower_score_better=True)
    client.delete_feedback_config(config_id=made.id)
    with pytest.raises(utils.LangSmithNotFoundError):
        client.update_feedback_config(key, is_lower_score_better=True)


def test_categories_are_added_and_removed_of_a_scale_of_several(client) -> None:
    key = f"topics-{uuid4().hex[:8]}"
    categories = [{"value": 0, "label": "billing"}, {"value": 1, "label": "shipping"}]
    made = client.create_feedback_config(
        key,
        feedback_config={
            "type": "categorical",
            "categories": categories,
            "allows_multiple_categories": True,
        },
    )
    more = [{"value": 2, "label": "returns"}]
    added = client.add_feedback_categories(key, more, config_id=made.id)
    assert [one["label"] for one in added.feedback_config["categories"]] == [
        *("billing", "shipping", "returns"),
    ]
    assert added.feedback_config["allows_multiple_categories"] is True
    left = client.remove_feedback_categories(key, [0], config_id=made.id)
    assert [one["value"] for one in left.feedback_config["categories"]] == [1, 2]
    client.delete_feedback_config(key)
