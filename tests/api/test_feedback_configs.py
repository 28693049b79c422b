"""/feedback-configs, as the SDKs' *_feedback_config call it."""

from __future__ import annotations

from uuid import UUID

import pytest

STARS = {"type": "continuous", "min": 1, "max": 5}


def declare(api, key="stars", config=STARS, **flags):
    return api.post("/feedback-configs", {"feedback_key": key, "feedback_config": config, **flags})


def test_a_scale_is_declared_once_and_the_same_again_is_the_same(api, acme) -> None:
    first = declare(api, is_lower_score_better=None)
    assert first.status_code == 200
    assert first.json() == declare(api).json()
    shown = first.json()
    assert shown.pop("modified_at")
    assert UUID(shown.pop("id"))
    assert shown == {
        "feedback_key": "stars",
        "feedback_config": {**STARS, "categories": None},
        "tenant_id": str(acme.uuid),
        "is_lower_score_better": False,
        "is_enforced": False,
        "is_first": True,
        "is_deleted": False,
    }


def test_another_scale_for_the_key_is_refused_as_the_sdk_documents(api) -> None:
    declare(api, is_enforced=True)
    for refused in (
        declare(api, config={"type": "freeform"}),
        declare(api, is_lower_score_better=True),
    ):
        assert refused.status_code == 400
        assert refused.json()["detail"].startswith("feedback_key: 'stars' has another")
    again = declare(api, is_enforced=False)  # what the SDK sends by default
    assert (again.status_code, again.json()["is_enforced"]) == (200, True)


def test_a_rubric_item_names_a_scale_by_the_id_that_is_listed(api) -> None:
    declared = declare(api).json()
    item = {"feedback_key": "other", "feedback_config_id": declared["id"]}
    queue = api.post("/annotation-queues", {"name": "q", "rubric_items": [item]}).json()
    (shown,) = queue["rubric_items"]
    assert shown["feedback_config"]["feedback_config"]["max"] == 5
    listed = api.get("/feedback-configs", key="stars").json()
    assert [one["id"] for one in listed] == [declared["id"]] == [shown["feedback_config_id"]]
    own = {"name": "p", "rubric_items": [{"feedback_key": "stars"}]}
    (shown,) = api.post("/annotation-queues", own).json()["rubric_items"]
    assert shown["feedback_config"]["id"] == declared["id"]


def test_a_rubric_item_allows_multiple_categories(api) -> None:
    config = {
        "type": "categorical",
        "categories": [{"value": 0, "label": "billing"}, {"value": 1, "label": "shipping"}],
        "allows_multiple_categories": True,
    }
    item = {"feedback_key": "topics", "feedback_config": config}
    made = api.post("/annotation-queues", {"name": "q", "rubric_items": [item]}).json()
    [shown] = api.get(f"/annotation-queues/{made['id']}").json()["rubric_items"]
    assert shown["feedback_config"]["feedback_config"]["allows_multiple_categories"] is True
    item["feedback_config"] = config | {"allows_multiple_categories": False}
    api.patch(f"/annotation-queues/{made['id']}", {"rubric_items": [item]})
    [shown] = api.get(f"/annotation-queues/{made['id']}").json()["rubric_items"]
    assert "allows_multiple_categories" not in shown["feedback_config"]["feedback_config"]


def test_two_workspaces_declare_the_same_key_apart(api, rival_api) -> None:
    declare(api)
    assert declare(rival_api, config={"type": "freeform"}).status_code == 200
    assert api.get("/feedback-configs").json()[0]["feedback_config"]["type"] == "continuous"


def test_a_patch_changes_what_it_names(api) -> None:
    declare(api)
    changed = api.patch(
        "/feedback-configs", {"feedback_key": "stars", "is_lower_score_better": True}
    ).json()
    assert (changed["is_lower_score_better"], changed["feedback_config"]["max"]) == (True, 5)
    changed = api.patch(
        "/feedback-configs", {"feedback_key": "stars", "feedback_config": {"type": "freeform"}}
    ).json()
    assert (changed["is_lower_score_better"], changed["feedback_config"]["type"]) == (
        True,
        "freeform",
    )
    assert api.patch("/feedback-configs", {"feedback_key": "absent"}).status_code == 404


def test_scales_are_listed_by_key_by_part_and_by_page(api) -> None:
    for key in ("helpful", "helpless", "correct"):
        declare(api, key)

    def keys(**query):
        return [config["feedback_key"] for config in api.get("/feedback-configs", **query).json()]

    assert keys() == ["correct", "helpful", "helpless"]
    assert keys(key=["helpful", "absent"]) == ["helpful"]
    assert keys(name_contains="HELP") == ["helpful", "helpless"]
    assert keys(name_contains="%") == []
    assert keys(limit=1, offset=1) == ["helpful"]


def test_a_scale_is_withdrawn_by_its_key(api, rival_api) -> None:
    declare(api)
    assert rival_api.delete("/feedback-configs?feedback_key=stars").status_code == 404
    assert api.delete("/feedback-configs?feedback_key=stars").status_code == 200
    assert api.delete("/feedback-configs?feedback_key=stars").status_code == 404
    assert api.delete("/feedback-configs").status_code == 422
    assert api.get("/feedback-configs").json() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"feedback_key": "k"},
        {"feedback_key": 3},
        {"feedback_key": "k" * 181, "feedback_config": STARS},
        {"feedback_key": "k", "feedback_config": {"type": "categorical"}},
        {"feedback_key": "k", "feedback_config": STARS, "is_enforced": "yes"},
    ],
)
def test_an_empty_scale_is_422(api, body) -> None:
    assert api.post("/feedback-configs", body).status_code == 422


TOPICS = {
    "type": "categorical",
    "categories": [{"value": n, "label": word} for n, word in enumerate(["billing", "delivery"])],
}


def test_categories_are_added_at_the_end_and_removed_by_their_value(api) -> None:
    api.post("/feedback-configs", {"feedback_key": "topic", "feedback_config": TOPICS})
    more = [{"value": 2, "label": "returns"}]
    told = api.patch("/feedback-configs", {"feedback_key": "topic", "add_categories": more}).json()
    words = [category["label"] for category in told["feedback_config"]["categories"]]
    assert words == ["billing", "delivery", "returns"]
    told = api.patch(
        "/feedback-configs", {"feedback_key": "topic", "remove_categories": [0]}
    ).json()
    words = [category["label"] for category in told["feedback_config"]["categories"]]
    assert words == ["delivery", "returns"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"add_categories": [{"value": 1, "label": "new"}]}, "the value is there already"),
        ({"add_categories": [{"value": 5, "label": "billing"}]}, "the label is there already"),
        ({"add_categories": {"value": 5}}, "must be a list"),
        ({"add_categories": [{"label": 5}]}, "must be a text"),
        ({"remove_categories": [7]}, "7 is not the value of a category"),
        ({"remove_categories": [0]}, "at least two categories must remain"),
    ],
)
def test_invalid_categories_are_422_and_change_nothing(api, change, why) -> None:
    api.post("/feedback-configs", {"feedback_key": "topic", "feedback_config": TOPICS})
    before = api.get("/feedback-configs").json()
    answer = api.patch("/feedback-configs", {"feedback_key": "topic", **change})
    assert (answer.status_code, why in answer.json()["detail"]) == (422, True), answer.json()
    assert api.get("/feedback-configs").json() == before


def test_a_scale_without_categories_gets_none(api) -> None:
    stars = {"type": "continuous", "min": 1, "max": 5}
    api.post("/feedback-configs", {"feedback_key": "stars", "feedback_config": stars})
    body = {"feedback_key": "stars", "add_categories": [{"value": 1, "label": "x"}]}
    assert "is not categorical" in api.patch("/feedback-configs", body).json()["detail"]


def test_a_scale_is_changed_and_withdrawn_by_its_id(api, rival_api) -> None:
    named = declare(api)
    other = declare(api, "other").json()["id"]
    config_id = named.json()["id"]
    change = {"feedback_key": "stars", "is_lower_score_better": True}
    assert api.patch("/feedback-configs", {**change, "id": config_id}).status_code == 200
    assert api.patch("/feedback-configs", {**change, "id": other}).status_code == 404
    assert api.patch("/feedback-configs", {**change, "id": "x"}).status_code == 422
    path = "/feedback-configs"
    for query in ("", f"?feedback_key=stars&id={config_id}"):
        refused = api.delete(f"{path}{query}")
        assert refused.status_code == 422
        assert refused.json()["detail"].startswith("feedback_key")
    assert rival_api.delete(f"{path}?id={config_id}").status_code == 404
    assert api.delete(f"{path}?id={config_id}").status_code == 200
    assert api.delete(f"{path}?id={config_id}").status_code == 404
    assert [one["feedback_key"] for one in api.get(path).json()] == ["other"]


def test_enforced_scales_are_listed_apart_and_stand_against_another(api) -> None:
    declare(api, "free")
    declare(api, "bound", is_enforced=True)

    def keys(**query) -> list[str]:
        return [one["feedback_key"] for one in api.get("/feedback-configs", **query).json()]

    assert keys(is_enforced="True") == ["bound"]
    assert keys(is_enforced="False") == ["free"]
    assert keys(include_all_configs="True") == ["bound", "free"]
    assert declare(api, "bound", {"type": "freeform"}, is_enforced=True).status_code == 409
    assert declare(api, "bound", {"type": "freeform"}).status_code == 400


def test_a_scale_keeps_allowing_multiple_categories_until_replaced(api) -> None:
    several = {
        "type": "categorical",
        "categories": [{"value": 0, "label": "a"}, {"value": 1, "label": "b"}],
        "allows_multiple_categories": True,
    }
    assert declare(api, "topics", several).json()["feedback_config"] == {
        **several,
        "min": None,
        "max": None,
    }
    added = {"feedback_key": "topics", "add_categories": [{"value": 2, "label": "c"}]}
    changed = api.patch("/feedback-configs", added).json()["feedback_config"]
    assert (changed["allows_multiple_categories"], len(changed["categories"])) == (True, 3)
    bad = {**several, "allows_multiple_categories": "yes"}
    refused = declare(api, "other", bad)
    assert refused.status_code == 422
    assert "allows_multiple_categories" in refused.json()["detail"]
