"""/feedback as the SDKs use it: every field, every filter, and every refusal."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from observatory.feedback.models import Feedback
from observatory.feedback.record import FeedbackInput, record
from tests.conftest import NOON
from tests.factories import ProjectFactory
from tests.feedback.test_record import add_run

RUN = UUID(int=1)
KEY_ROW = 1  # the credential; its time of use is written once per minute
OWN_QUERY = 1


def give(api, **fields):
    answer = api.post("/feedback", {"run_id": str(RUN), "key": "k", **fields})
    assert answer.status_code == 200, answer.content
    return answer.json()


def refuse(api, **fields) -> str:
    answer = api.post("/feedback", {"run_id": str(RUN), "key": "k", **fields})
    assert answer.status_code == 422, answer.content
    assert answer.json()["code"] == "invalid"
    return answer.json()["detail"]


def test_feedback_comes_back_as_it_was_sent(api, acme) -> None:
    run = add_run(acme)
    sent = {
        "id": str(uuid4()),
        "trace_id": str(RUN),
        "score": 0.25,
        "value": {"sub": [1, {"a": None}]},
        "comment": "too long",
        "correction": {"outputs": {"answer": "shorter"}},
        "feedback_source": {"type": "model", "metadata": {"__run": {"run_id": str(uuid4())}}},
        "feedback_group_id": str(uuid4()),
        "feedback_thread_id": "thread",
        "comparative_experiment_id": str(uuid4()),
        "extra": {"a": 1},
        "extend_trace_retention": True,
        "unknown_field": "ignored",
    }
    give(api, **sent)
    read = api.get(f"/feedback/{sent['id']}").json()
    for name in sent.keys() - {"feedback_source", "extend_trace_retention", "unknown_field"}:
        assert read[name] == sent[name], name
    assert read["feedback_source"] == sent["feedback_source"] | {
        "user_id": None,
        "ls_user_id": None,
        "user_name": None,
    }
    assert read["session_id"] == str(run.project.uuid)
    assert read["start_time"].startswith("2026-11-20T12:00:00")
    assert read["is_root"] is True
    assert "unknown_field" not in read


def test_feedback_on_a_run_that_is_not_here_yet_is_accepted(api) -> None:
    read = give(api)
    assert (read["run_id"], read["trace_id"], read["session_id"]) == (str(RUN), None, None)


@pytest.mark.parametrize(
    ("sent", "read"), [(True, 1.0), (False, 0.0), (1, 1.0), (-2.5, -2.5), (None, None)]
)
def test_a_score_is_a_number_and_a_boolean_counts_as_one(api, sent, read) -> None:
    assert give(api, score=sent)["score"] == read


def test_a_correction_may_be_a_text_and_a_category_a_word(api) -> None:
    config = {
        "type": "categorical",
        "categories": [{"value": "factual", "label": "Factual Answer"}],
    }
    read = give(api, correction="it is 42", value="factual", feedbackConfig=config)
    assert (read["correction"], read["value"]) == ("it is 42", "factual")
    stored = Feedback.objects.get()
    assert stored.config["categories"] == [
        {"value": 0, "label": "Factual Answer", "name": "factual"}
    ]
    assert not stored.is_off_scale


def test_null_equals_absent(api) -> None:
    nulls = dict.fromkeys(
        [
            "id",
            "trace_id",
            "session_id",
            "score",
            "value",
            "comment",
            "correction",
            "extra",
            "feedback_source",
            "feedback_config",
            "error",
            "created_at",
        ]
    )
    assert give(api, **nulls)["feedback_source"]["type"] == "api"


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"key": "k" * 181}, "key: must have at most 180 characters"),
        ({"comment": "x" * 65_537}, "comment: longer than 65536 bytes"),
        ({"score": "1.0"}, "score: must be a number, true, false or null"),
        ({"score": 1.5e308}, "score: must be finite and within 1e+308"),
        ({"value": [1]}, "value: must be a number, boolean, text or object, not a list"),
        ({"run_id": "me"}, "run_id: must be a UUID"),
        ({"run_id": None}, "run_id: either run_id or session_id is needed"),
    ],
)
def test_an_unstorable_value_is_refused_with_field_and_limit(api, fields, detail) -> None:
    assert refuse(api, **fields) == detail
    assert Feedback.objects.count() == 0


def test_hostile_bodies_get_a_clear_answer(api) -> None:
    for body, status in [
        (b"{", 400),
        (b'{"key": NaN}', 400),
        (b'{"score": 1e999}', 400),
        (b"\xff\xfe", 400),
        (b'{"value": ' + b"[" * 100_000, 400),
        (b"[]", 422),
        (b'"x"', 422),
        (
            b'{"key": "k", "run_id": "%s", "value": %s}'
            % (str(RUN).encode(), b'{"a":' * 300 + b"1" + b"}" * 300),
            422,
        ),
        (
            b'{"key": "k", "run_id": "%s", "comment": "%s"}'
            % (str(RUN).encode(), b"x" * 27_000_000),
            413,
        ),
    ]:
        answer = api.client.generic("POST", "/feedback", body, content_type="application/json")
        assert answer.status_code == status, body[:40]
        assert {"detail", "code"} == set(answer.json())
    assert Feedback.objects.count() == 0


def test_nul_and_half_surrogates_are_replaced_and_pairs_are_kept(api) -> None:
    body = (
        f'{{"key": "k", "run_id": "{RUN}", ' + r'"comment": "a\u0000b\ud83dc\ud83d\ude00 \\ud83d"}'
    )
    answer = api.client.generic("POST", "/feedback", body, content_type="text/plain")
    assert answer.json()["comment"] == "a\ufffdb\ufffdc\U0001f600 \\ud83d"


def test_the_same_id_again_is_one_feedback(api) -> None:
    same = str(uuid4())
    give(api, id=same, score=1)
    give(api, id=same, score=0)
    assert [(f["id"], f["score"]) for f in api.get("/feedback").json()] == [(same, 0.0)]


def test_an_enforced_scale_refuses_what_is_off_it(api) -> None:
    stars = {"type": "continuous", "min": 1, "max": 5}
    api.post(
        "/feedback-configs", {"feedback_key": "k", "feedback_config": stars, "is_enforced": True}
    )
    assert refuse(api, score=6) == "score: 6 is above the maximum 5; the scale of 'k' is enforced"
    kept = give(api, score=5)
    answer = api.patch(f"/feedback/{kept['id']}", {"score": 0})
    assert answer.status_code == 422
    assert api.get(f"/feedback/{kept['id']}").json()["score"] == 5


def test_a_patch_changes_what_it_names(api) -> None:
    kept = give(api, score=1, comment="first", value="v")
    answer = api.patch(
        f"/feedback/{kept['id']}",
        {"score": False, "comment": None, "correction": "so", "key": "other"},
    )
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["score"], changed["comment"], changed["value"], changed["correction"]) == (
        0.0,
        "first",
        "v",
        "so",
    )
    assert changed["key"] == "k"
    assert changed["created_at"] == kept["created_at"]
    assert changed["modified_at"] > kept["modified_at"]


def test_deleted_feedback_is_gone(api) -> None:
    kept = give(api)
    assert api.delete(f"/feedback/{kept['id']}").status_code == 200
    assert api.get(f"/feedback/{kept['id']}").status_code == 404
    assert api.delete(f"/feedback/{kept['id']}").status_code == 404


@pytest.mark.parametrize(
    "name", ["6c1e9901-f2f0-49e7-9e01-22a040e42f10", "nonsense", "%00", "0" * 32]
)
def test_an_unknown_id_is_404_whatever_it_looks_like(api, name) -> None:
    for answer in (
        api.get(f"/feedback/{name}"),
        api.patch(f"/feedback/{name}", {}),
        api.delete(f"/feedback/{name}"),
    ):
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"


@pytest.fixture
def filled(acme, ada, grace):
    """Six feedback of different kinds; the keys say what they are."""
    project = ProjectFactory(workspace=acme)
    add_run(acme, project=project)

    def put(key, minutes, user=None, **fields):
        record(
            acme, FeedbackInput(key=key, **fields), now=NOON + timedelta(minutes=minutes), user=user
        )

    put("scored", 1, run_id=RUN, score=0.0)
    put("commented", 2, run_id=RUN, comment="words")
    put("empty comment", 3, run_id=RUN, comment="")
    put("of ada", 4, user=ada, run_id=UUID(int=2), source_type="app")
    put("of a judge", 5, run_id=UUID(int=2), source_type="model", feedback_thread_id="t")
    put("of the project", 6, session_id=project.uuid, comparative_experiment_id=UUID(int=77))
    return project


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({}, ["of the project", "of a judge", "of ada", "empty comment", "commented", "scored"]),
        ({"run": [RUN]}, ["empty comment", "commented", "scored"]),
        ({"run": [UUID(int=2), UUID(int=3)]}, ["of a judge", "of ada"]),
        ({"key": ["scored", "of ada", "absent"]}, ["of ada", "scored"]),
        ({"source": ["app", "model"]}, ["of a judge", "of ada"]),
        (
            {
                "source": ["FeedbackSourceType.MODEL", "FeedbackSourceType.API"],
                "level": "run",
                "limit": 1,
            },
            ["of a judge"],
        ),
        ({"source": "auto_eval"}, []),
        ({"has_score": "True"}, ["scored"]),
        ({"has_score": "false", "run": RUN}, ["empty comment", "commented"]),
        ({"has_comment": "1"}, ["commented"]),
        ({"has_comment": "False", "run": RUN}, ["empty comment", "scored"]),
        ({"level": "session"}, ["of the project"]),
        ({"level": "run", "limit": 1}, ["of a judge"]),
        ({"limit": 2, "offset": 1}, ["of a judge", "of ada"]),
        ({"offset": 100}, []),
        ({"comparative_experiment_id": UUID(int=77)}, ["of the project"]),
        ({"feedback_thread_id": "t"}, ["of a judge"]),
        ({"min_created_at": "2026-11-20T12:05:00Z"}, ["of the project", "of a judge"]),
        ({"max_created_at": "2026-11-20 12:01:00", "unknown": "ignored"}, ["scored"]),
        (
            {
                "min_created_at": "2026-11-20T12:03:00+00:00",
                "max_created_at": "2026-11-20T12:03:00",
            },
            ["empty comment"],
        ),
    ],
)
def test_every_filter_matches_its_feedback_newest_first(api, filled, query, keys) -> None:
    answer = api.get("/feedback", **query)
    assert answer.status_code == 200, answer.content
    assert [feedback["key"] for feedback in answer.json()] == keys


def test_feedback_is_listed_by_project_and_by_author(api, filled, ada, grace) -> None:
    assert len(api.get("/feedback", session=filled.uuid).json()) == 4
    assert [f["key"] for f in api.get("/feedback", user=ada.uuid).json()] == ["of ada"]
    assert api.get("/feedback", user=grace.uuid).json() == []


def test_authors_are_named_only_when_asked_for(api, filled, ada) -> None:
    plain = api.get("/feedback", user=ada.uuid).json()[0]["feedback_source"]
    named = api.get("/feedback", user=ada.uuid, include_user_names="true").json()[0][
        "feedback_source"
    ]
    assert (plain["user_id"], plain["user_name"]) == (str(ada.uuid), None)
    assert named["user_name"] == "ada"


@pytest.mark.parametrize(
    "query",
    [
        {"run": "x"},
        {"session": "x"},
        {"level": "trace"},
        {"has_score": "maybe"},
        {"limit": "0"},
        {"limit": "1e3"},
        {"limit": "5000"},
        {"offset": "-1"},
        {"min_created_at": "soon"},
        {"comparative_experiment_id": "x"},
    ],
)
def test_an_invalid_filter_is_422(api, query) -> None:
    answer = api.get("/feedback", **query)
    assert answer.status_code == 422
    assert next(iter(query)) in answer.json()["detail"]


def test_a_bad_feedback_costs_its_batch_nothing(api) -> None:
    good = {"run_id": str(RUN), "key": "k", "score": 1}
    answer = api.post("/feedback/batch", [good, {"key": "k"}, "x", good])
    assert answer.status_code == 202
    assert answer.json()["n_stored"] == 2
    assert [error["index"] for error in answer.json()["errors"]] == [1, 2]
    assert api.post("/feedback/batch", {"feedback": [good]}).json()["n_stored"] == 1
    assert api.post("/feedback/batch", {}).status_code == 422
    assert api.post("/feedback/batch", [good] * 1_001).status_code == 422


def test_reading_costs_the_same_however_much_there_is(
    api, filled, django_assert_num_queries
) -> None:
    api.get("/feedback")  # writes the key's time of use, once per minute
    for limit in (1, 100):
        with django_assert_num_queries(KEY_ROW + 1 + OWN_QUERY):  # sizes
            api.get("/feedback", limit=limit, include_user_names="true")
    kept = give(api)
    with django_assert_num_queries(KEY_ROW + OWN_QUERY):
        api.get(f"/feedback/{kept['id']}")


def test_writing_costs_a_known_number_of_queries(api, django_assert_num_queries) -> None:
    kept = give(api)
    with django_assert_num_queries(KEY_ROW + 4):  # scales, upsert, seal, change
        give(api)
    with django_assert_num_queries(
        KEY_ROW + 9
    ):  # look, savepoint, row, scales, update, seal, change, release, answer
        api.patch(f"/feedback/{kept['id']}", {"score": 1})
    with django_assert_num_queries(KEY_ROW + 6):
        api.delete(f"/feedback/{kept['id']}")
