"""/annotation-queues as the SDKs use it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from annotations.models import AnnotationQueue, QueueItem, Review, RubricItem, Seat
from annotations.queues.queue_items import add_runs
from annotations.reviewing import reviews
from annotations.reviewing.reviews import Submission
from annotations.tasks import sweep
from datasets_app.models import Harvest
from observatory.feedback.models import Feedback
from tests.conftest import NOON
from tests.factories import DatasetFactory, ProjectFactory, RubricItemFactory
from tests.feedback.test_record import add_run

RUN, OTHER = UUID(int=1), UUID(int=2)


def made(api, **fields):
    answer = api.post("/annotation-queues", {"id": str(uuid4()), "name": "Doubtful", **fields})
    assert answer.status_code == 200, answer.content
    return answer.json()


def put(api, queue, *runs):
    answer = api.post(f"/annotation-queues/{queue['id']}/runs", [str(run) for run in runs])
    assert answer.status_code == 200, answer.content
    return answer.json()


def runs_of(api, queue, **query):
    answer = api.get(f"/annotation-queues/{queue['id']}/runs", **query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def judge(item_uuid, reviewer) -> None:
    item = QueueItem.objects.get(uuid=item_uuid)
    Review.objects.create(
        workspace=item.workspace,
        queue=item.queue,
        item=item,
        reviewer=reviewer,
        submission_id=uuid4(),
        rubric_version=1,
        scores={},
    )


# Queues -----------------------------------------------------------------------------------------


def test_a_queue_comes_back_as_it_was_sent(api, acme) -> None:
    dataset = DatasetFactory(workspace=acme)
    sent = {
        "id": str(uuid4()),
        "name": "Doubtful answers",
        "description": "Where the model was not sure",
        "rubric_instructions": "Read **all** of it.",
        "default_dataset": str(dataset.uuid),
        "num_reviewers_per_item": 2,
        "enable_reservations": False,
        "reservation_minutes": 30,
        "reviewer_access_mode": "assigned",
        "metadata": {"team": "support"},
    }
    queue = made(api, **sent)
    read = api.get(f"/annotation-queues/{sent['id']}").json()
    assert read == queue
    assert {name: read[name] for name in sent} == sent
    assert (read["tenant_id"], read["queue_type"], read["total_runs"]) == (
        str(acme.uuid),
        "single",
        0,
    )
    assert read["created_at"]
    assert read["updated_at"]
    assert Harvest.objects.get().dataset == dataset


def test_the_same_queue_sent_twice_is_one_and_another_with_its_id_a_conflict(
    api, rival_api
) -> None:
    queue = made(api)
    assert made(api, id=queue["id"])["id"] == queue["id"]
    assert AnnotationQueue.objects.count() == 1
    assert api.post("/annotation-queues", {"id": queue["id"], "name": "Other"}).status_code == 409
    assert made(rival_api, id=queue["id"])["tenant_id"] != queue["tenant_id"]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": None}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"id": "x"}, "id"),
        ({"num_reviewers_per_item": 0}, "num_reviewers_per_item"),
        ({"num_reviewers_per_item": 21}, "num_reviewers_per_item"),
        ({"num_reviewers_per_item": True}, "num_reviewers_per_item"),
        ({"reservation_minutes": 1_441}, "reservation_minutes"),
        ({"enable_reservations": "yes"}, "enable_reservations"),
        ({"reviewer_access_mode": "everybody"}, "reviewer_access_mode"),
        ({"default_dataset": str(uuid4())}, "default_dataset"),
        ({"metadata": []}, "metadata"),
        ({"queue_type": "triple"}, "queue_type"),
        ({"rubric_items": {}}, "rubric_items"),
        (
            {"rubric_items": [{"feedback_key": "a"}, {"feedback_key": "a"}]},
            "rubric_items.1.feedback_key",
        ),
        ({"rubric_items": [{}]}, "rubric_items.0.feedback_key"),
        (
            {"rubric_items": [{"feedback_key": "a", "feedback_config": {"type": "x"}}]},
            "rubric_items.0.feedback_config",
        ),
        *(
            ({"rubric_items": [{"feedback_key": "b"}, {"feedback_key": "a", **wrong}]}, f"{place}")
            for wrong, place in [
                ({"visible_if": []}, "rubric_items.1.visible_if"),
                ({"visible_if": {"join": "xor", "rules": []}}, "rubric_items.1.visible_if.join"),
                ({"required_if": {"join": "all", "rules": []}}, "rubric_items.1.required_if.rules"),
                (
                    {"visible_if": {"join": "all", "rules": [{"key": "b", "op": "="}]}},
                    "rubric_items.1.visible_if.rules.0.op",
                ),
                (
                    {"visible_if": {"join": "all", "rules": [{"key": "b", "op": "is"}]}},
                    "rubric_items.1.visible_if.rules.0.values",
                ),
                (
                    {"visible_if": {"join": "all", "rules": [{"key": "x", "op": "is_empty"}]}},
                    "rubric_items.1.visible_if.rules.0.key",
                ),
                ({"regex_validator": "."}, "rubric_items.1.regex_validator"),
                (
                    {"feedback_config": {"type": "freeform"}, "regex_validator": "("},
                    "rubric_items.1.regex_validator",
                ),
                (
                    {"feedback_config": {"type": "freeform"}, "regex_validator": "[" * 400},
                    "rubric_items.1.regex_validator",
                ),
                ({"is_assertion": "yes"}, "rubric_items.1.is_assertion"),
                ({"feedback_config_id": "nobody's"}, "rubric_items.1.feedback_config_id"),
            ]
        ),
    ],
)
def test_a_queue_that_makes_no_sense_is_422_by_field(api, fields, name) -> None:
    answer = api.post("/annotation-queues", {"name": "Doubtful", **fields})
    assert answer.status_code == 422, answer.content
    assert answer.json()["detail"].startswith(f"{name}:")
    assert AnnotationQueue.objects.count() == 0


def test_a_patch_changes_what_it_names_and_missing_is_not_named(api, acme) -> None:
    dataset = DatasetFactory(workspace=acme)
    queue = made(api, description="before", rubric_items=[{"feedback_key": "correct"}])
    missing = {"__missing__": "__missing__"}
    path = f"/annotation-queues/{queue['id']}"
    changed = api.patch(
        path,
        {
            "name": "After",
            "description": missing,
            "default_dataset": str(dataset.uuid),
            "num_reviewers_per_item": 3,
        },
    ).json()
    assert (changed["name"], changed["description"], changed["num_reviewers_per_item"]) == (
        "After",
        "before",
        3,
    )
    assert changed["default_dataset"] == str(dataset.uuid)
    assert [item["feedback_key"] for item in changed["rubric_items"]] == ["correct"]
    assert api.patch(path, {"default_dataset": None}).json()["default_dataset"] is None
    assert api.patch(path, {"name": ""}).status_code == 422


def test_all_reviewers_means_as_many_as_may_review_and_follows_them(
    api, acme, ada, grace, alan
) -> None:
    queue = made(api)
    put(api, queue, RUN)
    assert queue["num_reviewers_per_item"] == 1
    path = f"/annotation-queues/{queue['id']}"
    assert (
        api.patch(path, {"num_reviewers_per_item": None}).json()["num_reviewers_per_item"] is None
    )
    assert Seat.objects.count() == 3
    AnnotationQueue.objects.get().assigned_reviewers.set([grace, alan])
    sweep()
    assert Seat.objects.count() == 2
    assert api.patch(path, {"assigned_reviewers": []}).status_code == 200
    assert Seat.objects.count() == 3
    alan.memberships.all().delete()
    sweep()
    assert Seat.objects.count() == 2
    assert api.patch(path, {"num_reviewers_per_item": 1}).json()["num_reviewers_per_item"] == 1
    assert Seat.objects.count() == 1


def test_assigned_access_asks_every_assigned_reviewer_unless_a_number_is_named(
    api, acme, ada, grace, alan
) -> None:
    sent = {
        "reviewer_access_mode": "assigned",
        "assigned_reviewers": [str(grace.uuid), {"id": str(alan.uuid)}],
    }
    queue = made(api, **sent)
    put(api, queue, RUN)
    assert queue["num_reviewers_per_item"] is None
    assert {one["id"] for one in queue["assigned_reviewers"]} == {str(grace.uuid), str(alan.uuid)}
    item = QueueItem.objects.get()
    for place, person in enumerate((grace, alan)):
        assert item.state == "open"
        reviews.submit(item, person, Submission(submission_id=uuid4(), scores={}), NOON)
        item.refresh_from_db()
        assert item.n_reviews == place + 1
    assert item.state == "completed"
    path = f"/annotation-queues/{queue['id']}"
    assert api.patch(path, {"reviewer_access_mode": "any"}).json()["num_reviewers_per_item"] == 1
    assert made(api, num_reviewers_per_item=2, **sent)["num_reviewers_per_item"] == 2
    stranger = api.patch(path, {"assigned_reviewers": [str(uuid4())]})
    assert stranger.status_code == 422
    assert stranger.json()["detail"].startswith("assigned_reviewers.0")


def test_one_assigned_reviewer_less_completes_what_the_others_have_judged(
    api, acme, ada, grace, alan
) -> None:
    queue = made(
        api,
        reviewer_access_mode="assigned",
        assigned_reviewers=[str(grace.uuid), str(alan.uuid)],
    )
    put(api, queue, RUN)
    item = QueueItem.objects.get()
    reviews.submit(item, grace, Submission(submission_id=uuid4(), scores={}), NOON)
    path = f"/annotation-queues/{queue['id']}"
    api.patch(path, {"assigned_reviewers": [str(grace.uuid)]})
    item.refresh_from_db()
    assert item.state == "completed"


def test_more_reviewers_per_item_give_waiting_items_more_seats(api) -> None:
    queue = made(api)
    put(api, queue, RUN)
    api.patch(f"/annotation-queues/{queue['id']}", {"num_reviewers_per_item": 3})
    assert Seat.objects.count() == 3


def test_a_deleted_queue_is_gone_and_its_feedback_stays(api, acme) -> None:
    queue = made(api)
    put(api, queue, RUN)
    api.post("/feedback", {"run_id": str(RUN), "key": "k", "score": 1})
    assert api.delete(f"/annotation-queues/{queue['id']}").status_code == 200
    assert api.get(f"/annotation-queues/{queue['id']}").status_code == 404
    assert Feedback.objects.count() == 1


def test_queues_are_listed_by_id_name_dataset_and_page(api, acme, ada) -> None:
    dataset = DatasetFactory(workspace=acme)
    first = made(api, name="Legal review", default_dataset=str(dataset.uuid))
    second = made(api, name="Medical review")
    put(api, second, RUN, OTHER)

    def names(**query):
        answer = api.get("/annotation-queues", **query)
        assert answer.status_code == 200, answer.content
        return [queue["name"] for queue in answer.json()]

    assert names() == ["Medical review", "Legal review"]
    assert names(sort_by="name", sort_by_desc="False") == ["Legal review", "Medical review"]
    assert names(ids=[first["id"], str(uuid4())]) == ["Legal review"]
    assert names(name="Medical review") == ["Medical review"]
    assert names(name_contains="LEGAL") == ["Legal review"]
    assert names(dataset_id=dataset.uuid) == ["Legal review"]
    assert names(queue_type="pairwise") == []
    assert names(limit=1, offset=1) == ["Legal review"]
    assert api.get("/annotation-queues", name="Medical review").json()[0]["total_runs"] == 2
    assert names(assigned_to_me="true") == []
    api.key.created_by = ada
    api.key.save()
    AnnotationQueue.objects.get(name="Legal review").assigned_reviewers.add(ada)
    assert names(assigned_to_me="true") == ["Legal review"]


# Rubrics ----------------------------------------------------------------------------------------


def test_a_rubric_of_every_kind_comes_back(api) -> None:
    rubric = [
        {
            "feedback_key": "correctness",
            "description": "Is it right?",
            "is_required": True,
            "feedback_config": {
                "type": "categorical",
                "categories": [{"value": 0, "label": "Wrong"}, {"value": 1, "label": "Right"}],
            },
            "value_descriptions": {"Wrong": "Any factual error"},
            "visible_if": {"join": "all", "rules": [{"key": "tone", "op": "is", "values": [1]}]},
        },
        {
            "feedback_key": "tone",
            "feedback_config": {
                "feedback_key": "tone",
                "feedback_config": {"type": "continuous", "min": 1, "max": 5},
            },
            "score_descriptions": {"1": "rude"},
        },
        {
            "feedback_key": "note",
            "feedback_config": {"type": "freeform"},
            "regex_validator": "^.+$",
        },
        {"feedback_key": "safe", "is_assertion": True},
        {"feedback_key": "kind", "value_descriptions": {"praise": "they liked it", "blame": ""}},
        {"feedback_key": "plain"},
    ]
    queue = made(api, rubric_items=rubric)
    kinds = list(RubricItem.objects.values_list("feedback_key", "kind", "level"))
    assert kinds == [
        ("correctness", "categorical", "nominal"),
        ("tone", "continuous", "interval"),
        ("note", "freeform", "text"),
        ("safe", "boolean", "nominal"),
        ("kind", "categorical", "nominal"),
        ("plain", "continuous", "interval"),
    ]
    read = {item["feedback_key"]: item for item in queue["rubric_items"]}
    assert list(read) == ["correctness", "tone", "note", "safe", "kind", "plain"]
    assert read["correctness"]["value_descriptions"] == {"Wrong": "Any factual error"}
    assert read["correctness"]["is_required"] is True
    assert read["correctness"]["visible_if"] == rubric[0]["visible_if"]
    assert read["tone"]["score_descriptions"] == {"1": "rude"}
    assert read["tone"]["feedback_config"]["feedback_config"]["max"] == 5
    assert read["note"]["regex_validator"] == "^.+$"
    assert read["safe"]["is_assertion"] is True
    assert [
        c["label"] for c in read["kind"]["feedback_config"]["feedback_config"]["categories"]
    ] == ["praise", "blame"]
    again = api.patch(
        f"/annotation-queues/{queue['id']}", {"rubric_items": queue["rubric_items"]}
    ).json()
    assert [without_times(item) for item in again["rubric_items"]] == [
        without_times(item) for item in queue["rubric_items"]
    ]


def without_times(item):
    return {**item, "feedback_config": {**item["feedback_config"], "modified_at": None}}


def test_an_item_without_a_scale_takes_the_one_declared_for_its_key(api) -> None:
    api.post(
        "/feedback-configs",
        {"feedback_key": "stars", "feedback_config": {"type": "continuous", "min": 1, "max": 5}},
    )
    made(api, rubric_items=[{"feedback_key": "stars"}])
    item = RubricItem.objects.get()
    assert (item.minimum, item.maximum) == (1, 5)


def test_a_new_rubric_keeps_settings_unknown_to_the_wire(api, acme) -> None:
    queue = made(api)
    RubricItemFactory(
        queue=AnnotationQueue.objects.get(),
        feedback_key="correctness",
        title="Correct?",
        level="ordinal",
    )
    labels = {"type": "categorical", "categories": [{"value": 0, "label": "No"}]}
    api.patch(
        f"/annotation-queues/{queue['id']}",
        {"rubric_items": [{"feedback_key": "correctness", "feedback_config": labels}]},
    )
    item = RubricItem.objects.get()
    assert (item.title, item.level, len(item.categories)) == ("Correct?", "ordinal", 1)
    assert AnnotationQueue.objects.get().rubric_version == 2


# Items ------------------------------------------------------------------------------------------


def test_runs_are_added_once_in_either_form_whether_they_arrived_or_not(api, acme) -> None:
    add_run(acme)
    queue = made(api)
    first = put(api, queue, RUN, OTHER, RUN)
    assert [entry["run_id"] for entry in first] == [str(RUN), str(OTHER)]
    assert {
        "id",
        "queue_id",
        "run_id",
        "added_at",
        "last_reviewed_time",
        "source_proposed_example_id",
    } == set(first[0])
    proposed = str(uuid4())
    answer = api.post(
        f"/annotation-queues/{queue['id']}/runs",
        [{"run_id": str(RUN)}, {"run_id": str(uuid4()), "source_proposed_example_id": proposed}],
    ).json()
    assert answer[0]["id"] == first[0]["id"]
    assert answer[1]["source_proposed_example_id"] == proposed
    assert QueueItem.objects.count() == 3
    assert Seat.objects.count() == 3


def test_runs_are_added_by_their_key(api) -> None:
    queue = made(api)
    body = [{"run_id": str(RUN), "session_id": str(uuid4()), "start_time": NOON.isoformat()}]
    assert api.post(f"/annotation-queues/{queue['id']}/runs/by-key", body).json()[0][
        "run_id"
    ] == str(RUN)
    assert api.get(f"/annotation-queues/{queue['id']}/runs/by-key").status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        {},
        "x",
        [None],
        ["x"],
        [{}],
        [[str(RUN)]],
        [{"run_id": str(RUN), "source_proposed_example_id": "x"}],
        [str(RUN)] * 10_001,
    ],
)
def test_a_body_without_runs_is_422_and_adds_none(api, body) -> None:
    queue = made(api)
    assert api.post(f"/annotation-queues/{queue['id']}/runs", body).status_code == 422
    assert QueueItem.objects.count() == 0


def test_a_queued_run_is_shown_with_its_inputs_and_a_pending_one_with_none(api, acme) -> None:
    run = add_run(
        acme,
        inputs='{"question": "why?"}',
        outputs='{"answer": 1e400}',
        extra={"runtime": {}},
        metadata={"tier": "pro"},
        tags=["a"],
    )
    queue = made(api)
    (added, _) = put(api, queue, RUN, OTHER)
    here, pending = runs_of(api, queue)
    assert (here["id"], here["queue_run_id"], here["name"]) == (str(RUN), added["id"], "answer")
    assert here["inputs"] == {"question": "why?"}
    assert here["extra"] == {"runtime": {}, "metadata": {"tier": "pro"}}
    assert here["session_id"] == str(run.project.uuid)
    assert (here["completed_by"], here["reserved_by"]) == ([], [])
    assert "attachments" not in here
    assert (pending["id"], pending["name"], pending["inputs"], pending["status"]) == (
        str(OTHER),
        "pending",
        {},
        "pending",
    )
    assert pending["start_time"]
    assert "feedback_stats" not in here
    api.post("/feedback", {"run_id": str(RUN), "key": "k", "score": 1})
    assert runs_of(api, queue, include_stats="true")[0]["feedback_stats"]["k"]["avg"] == 1


def test_inputs_that_are_not_an_object_are_readable(api, acme) -> None:
    add_run(acme, inputs="[1, 2]", outputs='"text"', name=None, run_type=None, start_time=None)
    queue = made(api)
    put(api, queue, RUN)
    (run,) = runs_of(api, queue)
    assert (run["inputs"], run["outputs"], run["name"], run["run_type"]) == (
        {"input": [1, 2]},
        {"output": "text"},
        "unnamed",
        "chain",
    )
    assert run["start_time"]


def test_items_are_listed_by_status_of_the_keys_owner(api, ada, grace) -> None:
    api.key.created_by = ada
    api.key.save()
    queue = made(api, num_reviewers_per_item=2)
    mine, theirs, done = (entry["id"] for entry in put(api, queue, RUN, OTHER, UUID(int=3)))
    judge(theirs, ada)
    judge(done, ada)
    judge(done, grace)
    QueueItem.objects.filter(uuid=done).update(state="completed", completed_at=timezone.now())

    def ids(**query):
        return [run["queue_run_id"] for run in runs_of(api, queue, **query)]

    assert ids() == [mine, theirs, done]
    assert ids(status="needs_my_review") == [mine]
    assert ids(status="needs_others_review") == [theirs]
    assert ids(status="completed") == ids(archived="true") == [done]
    assert ids(archived="False") == [mine, theirs]
    assert ids(limit=1, offset=1) == [theirs]
    assert [run["completed_by"] for run in runs_of(api, queue)] == [
        [],
        [str(ada.uuid)],
        [str(ada.uuid), str(grace.uuid)],
    ]
    assert api.get(f"/annotation-queues/{queue['id']}/runs", status="soon").status_code == 422
    path = f"/annotation-queues/{queue['id']}"
    sizes = {
        name: api.get(f"{path}/{name}").json()["size"]
        for name in ("size", "total_size", "total_archived")
    }
    assert sizes == {"size": 2, "total_size": 3, "total_archived": 1}
    assert api.get(f"{path}/size", status="needs_my_review").json() == {"size": 1}
    assert api.get(f"{path}/total_archived", end_time="2020-01-01").json() == {"size": 0}


def test_a_reserved_item_names_its_reviewer_until_expiry(api, ada) -> None:
    queue = made(api)
    put(api, queue, RUN)
    Seat.objects.update(
        reviewer=ada,
        lease=uuid4(),
        reserved_at=NOON,
        expires_at=timezone.now() + timedelta(minutes=5),
    )
    assert runs_of(api, queue)[0]["reserved_by"] == [str(ada.uuid)]
    Seat.objects.update(expires_at=timezone.now())
    assert runs_of(api, queue)[0]["reserved_by"] == []


def test_items_come_by_priority_and_are_read_by_index(api, acme) -> None:
    queue = made(api)
    put(api, queue, RUN)
    add_runs(AnnotationQueue.objects.get(), [OTHER], source="rule", now=NOON, priority=5)
    path = f"/annotation-queues/{queue['id']}/run"
    assert api.get(f"{path}/0").json()["id"] == str(OTHER)
    assert api.get(f"{path}/1", include_extra="true").json()["id"] == str(RUN)
    for beyond in ("2", "-1", "x", "9" * 30):
        assert api.get(f"{path}/{beyond}").status_code == 404


def test_a_run_is_removed_by_its_own_id_or_by_its_items_and_stays_removed(api) -> None:
    queue = made(api)
    _, second = put(api, queue, RUN, OTHER)
    path = f"/annotation-queues/{queue['id']}/runs"
    assert api.delete(f"{path}/{RUN}").status_code == 200
    assert api.delete(f"{path}/{second['id']}").status_code == 200
    assert api.delete(f"{path}/{uuid4()}").status_code == 404
    assert runs_of(api, queue) == []
    put(api, queue, RUN)
    assert runs_of(api, queue) == []
    assert api.get(f"/annotation-queues/{queue['id']}").json()["total_runs"] == 0


def test_the_queues_of_a_run_are_listed(api, rival_api) -> None:
    first, second = made(api, name="A"), made(api, name="B")
    put(api, first, RUN)
    put(api, second, RUN, OTHER)
    put(rival_api, made(rival_api, name="C"), RUN)
    assert [queue["name"] for queue in api.get(f"/annotation-queues/{RUN}/queues").json()] == [
        "A",
        "B",
    ]
    assert api.get(f"/annotation-queues/{uuid4()}/queues").json() == []


def test_reading_a_queue_costs_the_same_however_much_is_in_it(
    api, acme, django_assert_num_queries
) -> None:
    queue = made(api, rubric_items=[{"feedback_key": key} for key in "abc"])
    project = ProjectFactory(workspace=acme)
    put(api, queue, *(add_run(acme, UUID(int=n), project=project).id for n in range(1, 60)))
    path = f"/annotation-queues/{queue['id']}"
    key, found = 1, 2  # the credential; the queue, shown, with its reviewers
    for limit in (1, 50):
        # items, sizes, runs, files, what runs below spent and its details, reviewers, holders
        with django_assert_num_queries(key + 1 + 8):
            runs_of(api, queue, limit=limit)
    with django_assert_num_queries(key + found + 1):  # rubric
        api.get(path)
    with django_assert_num_queries(key + 1 + 1):
        api.get(f"{path}/size")
    for n in range(5):
        made(api, name=f"queue {n}")
    with django_assert_num_queries(key + found):
        api.get("/annotation-queues")


def test_instructions_are_returned_when_set(api) -> None:
    """A release of the SDK makes its answer of those it sent and of the server's."""
    plain = api.post("/annotation-queues", {"name": "plain"})
    assert plain.status_code == 200
    assert "rubric_instructions" not in plain.json()
    assert api.get(f"/annotation-queues/{plain.json()['id']}").json()["rubric_instructions"] is None
    sent = api.post("/annotation-queues", {"name": "sent", "rubric_instructions": "Read it"})
    assert sent.json()["rubric_instructions"] == "Read it"
