"""Feedback, the scales it is given on, and the tokens that let a page give it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from tests.sdk.probes import World, ids, refused, works

SYNC, ASYNC = ("Client",), ("AsyncClient",)
STARS = {"type": "continuous", "min": 1, "max": 5}
GRADES = {
    "type": "categorical",
    "categories": [{"value": 0, "label": "wrong"}, {"value": 1, "label": "right"}],
}


@works("create_feedback", "read_feedback", "list_feedback", "delete_feedback")
def feedback_is_given_read_listed_and_deleted(w: World) -> None:
    run = w.run()
    made = w.client.create_feedback(
        run.id, "helpful", score=0.5, comment="so so", correction={"answer": "no"}
    )
    read = w.client.read_feedback(made.id)
    assert (read.run_id, read.key, read.score) == (run.id, "helpful", 0.5)
    assert (read.comment, read.correction) == ("so so", {"answer": "no"})
    assert list(ids(w.client.list_feedback(run_ids=[run.id], feedback_key=["helpful"]))) == [
        str(made.id)
    ]
    w.client.delete_feedback(made.id)
    assert list(w.client.list_feedback(run_ids=[run.id])) == []


@works("update_feedback", of=SYNC)
def feedback_is_changed(w: World) -> None:
    made = w.plain.create_feedback(uuid4(), "helpful", score=0)
    w.client.update_feedback(made.id, score=1, comment="after all")
    read = w.plain.read_feedback(made.id)
    assert (read.score, read.comment) == (1, "after all")


@works("create_presigned_feedback_token", "create_feedback_from_token")
def a_page_without_a_key_gives_feedback(w: World) -> None:
    run = w.run()
    token = w.client.create_presigned_feedback_token(run.id, "thumb", expiration=timedelta(hours=1))
    w.client.create_feedback_from_token(token.url, score=1, comment="by a page")
    (given,) = w.plain.list_feedback(run_ids=[run.id])
    assert (given.key, given.score, given.comment) == ("thumb", 1, "by a page")


@works("create_presigned_feedback_tokens", "list_presigned_feedback_tokens", of=SYNC)
def tokens_are_made_together_and_listed(w: World) -> None:
    run_id = uuid4()
    made = w.client.create_presigned_feedback_tokens(run_id, ["a", "b"])
    listed = w.client.list_presigned_feedback_tokens(run_id)
    assert set(ids(listed)) == set(ids(made))


@works(
    "create_feedback_config",
    "list_feedback_configs",
    "update_feedback_config",
    "delete_feedback_config",
)
def a_scale_is_declared_changed_and_withdrawn(w: World) -> None:
    key = w.name("stars")
    made = w.client.create_feedback_config(key, feedback_config=STARS)
    assert made.feedback_config["max"] == 5
    changed = w.client.update_feedback_config(key, is_lower_score_better=True)
    assert changed.is_lower_score_better
    (listed,) = w.client.list_feedback_configs(feedback_key=[key])
    assert listed.feedback_key == key
    w.client.delete_feedback_config(key)
    assert list(w.client.list_feedback_configs(feedback_key=[key])) == []


@works("add_feedback_categories", "remove_feedback_categories")
def categories_are_added_and_removed(w: World) -> None:
    key = w.name("grade")
    several = {**GRADES, "allows_multiple_categories": True}
    w.plain.create_feedback_config(key, feedback_config=several)
    more = w.client.add_feedback_categories(key, [{"value": 2, "label": "half right"}])
    less = w.client.remove_feedback_categories(key, [0])
    values = [
        [category["value"] for category in scale.feedback_config["categories"]]
        for scale in (more, less)
    ]
    assert values == [[0, 1, 2], [1, 2]]
    assert less.feedback_config["allows_multiple_categories"] is True


FORMULAS = "the SDK has given formulas up and raises before it asks any server"
PARTS = [{"part_type": "weighted_key", "key": "a", "weight": 1.0}]


@refused("create_feedback_formula", seen="NotImplementedError", why=FORMULAS, of=SYNC)
def a_formula_is_not_made(w: World) -> None:
    w.client.create_feedback_formula(feedback_key="f", aggregation_type="avg", formula_parts=PARTS)


@refused("get_feedback_formula_by_id", seen="NotImplementedError", why=FORMULAS, of=SYNC)
def a_formula_is_not_read(w: World) -> None:
    w.client.get_feedback_formula_by_id(uuid4())


@refused("list_feedback_formulas", seen="NotImplementedError", why=FORMULAS, of=SYNC)
def formulas_are_not_listed(w: World) -> None:
    list(w.client.list_feedback_formulas())


@refused("update_feedback_formula", seen="NotImplementedError", why=FORMULAS, of=SYNC)
def a_formula_is_not_changed(w: World) -> None:
    w.client.update_feedback_formula(
        uuid4(), feedback_key="f", aggregation_type="avg", formula_parts=PARTS
    )


@refused("delete_feedback_formula", seen="NotImplementedError", why=FORMULAS, of=SYNC)
def a_formula_is_not_deleted(w: World) -> None:
    w.client.delete_feedback_formula(uuid4())
