"""Items of annotation queues: statuses, sections by cursor, threads, experiments, export."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotations.models import (
    AnnotationQueue,
    Deferral,
    QueueItem,
    Rating,
    Review,
    RubricItem,
    Seat,
)
from annotations.queues import blindness, item_subjects
from annotations.reviewing import reservations, reviews
from annotations.reviewing.reviews import Submission
from datasets_app.models import Comparison
from observatory.feedback.models import Feedback
from observatory.runs.models import Run
from tests.api.test_annotation_queues import made, put, runs_of
from tests.conftest import NOON
from tests.factories import DatasetFactory, ProjectFactory
from tests.feedback.test_record import add_run

RUN, OTHER, THIRD = UUID(int=1), UUID(int=2), UUID(int=3)
RATED = {"feedback_key": "correct", "is_required": True}


@pytest.fixture
def mine(api, ada):
    """The key is ada's."""
    api.key.created_by = ada
    api.key.save()
    return api


def items_of(api, queue, status="needs_my_review", **query):
    answer = api.get(f"/platform/annotation-queues/{queue['id']}/items", status=status, **query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def set_status(api, item_id, status, **more):
    return api.post(f"/annotation-queues/status/{item_id}", {"status": status, **more})


def review(item_uuid, person, **scores):
    item = QueueItem.objects.get(uuid=item_uuid)
    sent = Submission(submission_id=uuid4(), scores=scores)
    return reviews.submit(item, person, sent, timezone.now())


# The caller's own status ------------------------------------------------------------------------


def test_viewed_holds_the_item_completed_reviews_it_and_null_shows_it_again(mine, ada) -> None:
    queue = made(mine, rubric_items=[RATED])
    (entry,) = put(mine, queue, RUN)
    assert set_status(mine, entry["id"], "viewed").json() == {
        "queue_item_id": entry["id"],
        "status": "viewed",
        "is_archived": False,
        "override_added_at": None,
    }
    assert Seat.objects.get().reviewer == ada
    refused = set_status(mine, entry["id"], "completed")
    assert refused.status_code == 422
    assert "correct" in refused.json()["detail"]
    mine.post("/feedback", {"run_id": str(RUN), "key": "correct", "score": 0.5, "comment": "why"})
    done = set_status(mine, entry["id"], "completed").json()
    assert (done["status"], done["is_archived"]) == ("completed", True)
    assert set_status(mine, entry["id"], "completed").json() == done
    standing = Review.objects.get(retracted_at=None)
    assert standing.scores == {"correct": {"score": 0.5, "comment": "why"}}
    assert Feedback.objects.count() == 1  # what was there already, not once more
    assert standing.ratings.count() == 1
    again = set_status(mine, entry["id"], None).json()
    assert (again["status"], again["is_archived"]) == ("viewed", False)
    assert Review.objects.filter(retracted_at=None).count() == 0
    assert [run["queue_run_id"] for run in runs_of(mine, queue, status="needs_my_review")] == [
        entry["id"]
    ]


@pytest.mark.parametrize(
    "by_a_program",
    [
        {"feedback_source": {"type": "model"}},
        {"feedback_source": {"type": "auto_eval"}},
        {"feedback_source": {"type": "api", "metadata": {"__run": {"run_id": str(OTHER)}}}},
        {"feedback_source": {"type": "app", "metadata": {"__run": {"run_id": str(OTHER)}}}},
        {"error": True},
    ],
)
def test_a_programs_feedback_never_becomes_a_review(mine, by_a_program) -> None:
    queue = made(mine, rubric_items=[RATED])
    (entry,) = put(mine, queue, RUN)
    judged = {"run_id": str(RUN), "key": "correct", "score": 1.0}
    assert mine.post("/feedback", {**judged, **by_a_program}).status_code == 200
    refused = set_status(mine, entry["id"], "completed")
    assert refused.status_code == 422
    assert "correct" in refused.json()["detail"]
    assert not Review.objects.exists()
    assert not Rating.objects.exists()

    mine.post("/feedback", {**judged, "score": 0.0, "feedback_source": {"metadata": {"app": "x"}}})
    mine.post("/feedback", {**judged, **by_a_program})  # newer, and still not the reviewer's
    assert set_status(mine, entry["id"], "completed").status_code == 200
    assert Review.objects.get().scores == {"correct": {"score": 0.0}}


def test_an_item_put_off_by_time_comes_last_and_keeps_its_time(mine, ada) -> None:
    queue = made(mine)
    first, second = (entry["id"] for entry in put(mine, queue, RUN, OTHER))
    at = "2026-11-20T12:00:00.000000Z"
    told = set_status(mine, first, None, override_added_at=at).json()
    assert told["override_added_at"] == at
    listed = runs_of(mine, queue, status="needs_my_review")
    assert [run["queue_run_id"] for run in listed] == [second, first]
    assert listed[1]["effective_added_at"].startswith("2026-11-20T12:00:00")
    for index, wanted in enumerate((second, first)):
        path = f"/annotation-queues/{queue['id']}/run/{index}"
        assert mine.get(path).json()["queue_run_id"] == wanted
    seat = reservations.reserve_next(AnnotationQueue.objects.get(), ada, timezone.now())
    assert str(seat.item.uuid) == second
    set_status(mine, first, None)
    assert not Deferral.objects.exists()


def test_a_status_is_a_persons_and_of_items_they_may_review(api, ada, grace, alan) -> None:
    queue = made(api, assigned_reviewers=[str(grace.uuid)], reviewer_access_mode="assigned")
    (entry,) = put(api, queue, RUN)
    assert set_status(api, entry["id"], "viewed").status_code == 403
    api.key.created_by = ada
    api.key.save()
    assert set_status(api, entry["id"], "viewed").status_code == 403
    assert set_status(api, entry["id"], "completed").status_code == 403
    api.key.created_by = grace
    api.key.save()
    assert set_status(api, entry["id"], "viewed").status_code == 200
    assert set_status(api, entry["id"], "seen").status_code == 422
    assert set_status(api, uuid4(), "viewed").status_code == 404
    path = f"/platform/annotation-queues/items/{entry['id']}/status"
    assert api.post(path, {"status": "completed"}).json()["status"] == "completed"


def test_an_item_reserved_by_another_reviewer_cannot_be_viewed(mine, grace) -> None:
    queue = made(mine)
    (entry,) = put(mine, queue, RUN)
    reservations.reserve(QueueItem.objects.get(), grace, timezone.now())
    answer = set_status(mine, entry["id"], "viewed")
    assert (answer.status_code, "all_reserved" in answer.json()["detail"]) == (409, True)


# Changing and removing --------------------------------------------------------------------------


def test_times_of_an_item_are_set_by_either_path(api) -> None:
    queue = made(api)
    (entry,) = put(api, queue, RUN)
    path = f"/annotation-queues/{queue['id']}/runs/{entry['id']}"
    changed = api.patch(path, {"added_at": "2026-01-02T03:04:05Z"}).json()
    assert changed["added_at"].startswith("2026-01-02T03:04:05")
    item = f"/platform/annotation-queues/{queue['id']}/items/{entry['id']}"
    changed = api.patch(item, {"last_reviewed_time": "2026-01-03T00:00:00Z", "added_at": None})
    assert changed.json()["last_reviewed_time"] == "2026-01-03T00:00:00.000000Z"
    assert changed.json()["added_at"].startswith("2026-01-02T03:04:05")
    assert api.patch(path, {"added_at": "soon"}).status_code == 422
    assert api.patch(f"{item[:-36]}{uuid4()}", {}).status_code == 404


def test_runs_are_removed_by_id_or_all_but_some(api) -> None:
    queue = made(api)
    entries = put(api, queue, *(UUID(int=n) for n in range(1, 6)))
    path = f"/annotation-queues/{queue['id']}/runs/delete"
    assert api.post(path, {"run_ids": [str(RUN), entries[1]["id"]]}).status_code == 200
    assert [run["id"] for run in runs_of(api, queue)] == [str(UUID(int=n)) for n in (3, 4, 5)]
    api.post(path, {"delete_all": True, "exclude_run_ids": [str(UUID(int=4))]})
    assert [run["id"] for run in runs_of(api, queue)] == [str(UUID(int=4))]
    assert api.post(path, {}).status_code == 200
    assert api.post(path, {"run_ids": ["x"]}).json()["detail"].startswith("run_ids.0")
    assert len(runs_of(api, queue)) == 1
    items = f"/platform/annotation-queues/{queue['id']}/items/delete"
    assert api.post(items, {"item_ids": [entries[3]["id"]]}).status_code == 200
    assert runs_of(api, queue) == []


# Sections ---------------------------------------------------------------------------------------


def test_a_section_is_paged_by_cursor_to_the_end_and_back(mine, ada) -> None:
    queue = made(mine, num_reviewers_per_item=2)
    ids = [entry["id"] for entry in put(mine, queue, *(UUID(int=n) for n in range(1, 12)))]
    review(ids[0], ada)
    for place, late in enumerate((ids[4], ids[2])):
        reviews.requeue(QueueItem.objects.get(uuid=late), ada, NOON + timedelta(minutes=place))
    reviews.skip(QueueItem.objects.get(uuid=ids[5]), ada, "unclear", NOON)
    order = [ids[1], ids[3], *ids[6:], ids[4], ids[2]]
    assert [row["queue_run_id"] for row in runs_of(mine, queue, status="needs_my_review")] == order
    for size in (1, 2, 3, 7, 9, 50):
        seen, cursor, pages = [], None, 0
        while pages == 0 or cursor:
            page = items_of(mine, queue, page_size=size, **({"cursor": cursor} if cursor else {}))
            seen += [item["id"] for item in page["items"]]
            cursor, pages = page["next_cursor"], pages + 1
        assert seen == order
        assert pages == -(-len(order) // size)
    for place, item in enumerate(order):
        path = f"/platform/annotation-queues/{queue['id']}/items/{item}/placement"
        told = mine.get(path).json()
        assert (told["section"], told["position"]) == ("needs_my_review", place)
        there = items_of(mine, queue, cursor=told["cursor"], page_size=2)["items"]
        assert [one["id"] for one in there] == order[place : place + 2]
        back = items_of(mine, queue, cursor=told["cursor"], direction="backward", page_size=3)
        assert [one["id"] for one in back["items"]] == order[max(0, place - 3) : place]
        assert (back["next_cursor"] is None) == (place <= 3)
    assert {row["id"] for row in items_of(mine, queue, "needs_others_review")["items"]} == {
        ids[0],
        ids[5],
    }
    counts = {
        status: mine.get(
            f"/platform/annotation-queues/{queue['id']}/items/count", status=status
        ).json()["count"]
        for status in ("all", "needs_my_review", "needs_others_review", "archived")
    }
    assert counts == {"all": 11, "needs_my_review": 9, "needs_others_review": 2, "archived": 0}
    offsets = [
        row["queue_run_id"]
        for start in range(0, 9, 2)
        for row in runs_of(mine, queue, status="needs_my_review", limit=2, offset=start)
    ]
    assert offsets == order


def test_items_are_bounded_by_the_start_of_their_trace_and_by_type(api, acme) -> None:
    add_run(acme, start_time=NOON)
    queue = made(api)
    put(api, queue, RUN, OTHER)
    path = f"/platform/annotation-queues/{queue['id']}/items"
    thread = {"item_type": "THREAD", "thread_id": "t", "project_id": str(uuid4())}
    sent = {**thread, "start_time": "2026-11-21T00:00:00Z"}
    (made_item,) = api.post(path, {"items": [sent]}).json()["items"]
    assert made_item["start_time"] == "2026-11-21T00:00:00.000000Z"

    def found(**query):
        return [
            item["run_id"] or item["thread_id"] for item in items_of(api, queue, **query)["items"]
        ]

    assert found() == [str(RUN), str(OTHER), "t"]
    assert found(item_type="THREAD") == ["t"]
    assert found(item_type="RUN") == [str(RUN), str(OTHER)]
    assert found(min_start_time="2026-11-20T12:00:00Z") == [str(RUN), "t"]
    assert found(max_start_time="2026-11-20T12:00:00Z") == [str(RUN)]
    assert found(min_start_time="0001-01-01T00:00:00Z") == [str(RUN), str(OTHER), "t"]
    count = api.get(f"{path}/count", status="all", min_start_time="2026-11-20T13:00:00Z")
    assert count.json() == {"count": 1}


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "status"),
        ({"status": "done"}, "status"),
        ({"status": "archived", "direction": "up"}, "direction"),
        ({"status": "archived", "direction": "backward"}, "cursor"),
        ({"status": "archived", "cursor": "x"}, "cursor"),
        ({"status": "archived", "cursor": "WyJhcmNoaXZlZCIsMSwxLDEsMV0"}, "cursor"),
        ({"status": "archived", "page_size": 101}, "page_size"),
        ({"status": "archived", "item_type": "PAIR"}, "item_type"),
    ],
)
def test_a_list_that_makes_no_sense_is_422_by_field(api, query, name) -> None:
    queue = made(api)
    answer = api.get(f"/platform/annotation-queues/{queue['id']}/items", **query)
    assert (answer.status_code, answer.json()["detail"].split(":")[0]) == (422, name)


def test_agreement_is_no_filter_and_finals_are_not_offered(api) -> None:
    queue = made(api, rubric_items=[RATED])
    (entry,) = put(api, queue, RUN)
    path = f"/platform/annotation-queues/{queue['id']}/items"
    for query in ({"agreement": "disagreed"}, {"has_unresolved_keys": "true"}):
        assert api.get(path, status="archived", **query).status_code == 422
        assert api.get(f"{path}/count", status="archived", **query).status_code == 422
    final = f"{path}/{entry['id']}/finals/correct"
    assert (api.put(final, {"score": 1}).status_code, api.delete(final).status_code) == (404, 404)
    assert api.put(f"{path}/{uuid4()}/finals/correct", {}).status_code == 404
    (listed,) = api.get("/annotation-queues", include_rubric_keys="true").json()
    assert listed["rubric_keys"] == ["correct"]


def test_lists_of_items_take_a_fixed_number_of_queries(mine, acme, ada) -> None:
    queue = made(mine, num_reviewers_per_item=2)
    project = ProjectFactory(workspace=acme)
    path = f"/platform/annotation-queues/{queue['id']}/items"

    def fill(first, n):
        for number in range(first, first + n):
            add_run(acme, UUID(int=number), project=project, metadata={"thread_id": f"t{number}"})
        put(mine, queue, *(UUID(int=number) for number in range(first, first + n)))
        for number in range(first, first + n):
            body = {
                "item_type": "THREAD",
                "thread_id": f"t{number}",
                "project_id": str(project.uuid),
            }
            assert mine.post(path, {"items": [body]}).status_code == 200

    def cost():
        with CaptureQueriesContext(
            connection,
        ) as platform:
            items_of(mine, queue, page_size=100)
        with CaptureQueriesContext(connection) as wire:
            runs_of(mine, queue, status="needs_my_review", include_stats="true")
        return len(platform), len(wire)

    fill(1, 1)
    few = cost()
    fill(100, 8)
    assert cost() == few
    assert few[0] <= 9
    assert few[1] <= 16


# Blind ------------------------------------------------------------------------------------------


def test_figures_of_a_blind_item_wait_for_my_answer(mine, acme, ada, grace) -> None:
    add_run(acme)
    queue = made(mine, rubric_items=[RATED], num_reviewers_per_item=2)
    (entry,) = put(mine, queue, RUN)
    mine.post("/feedback", {"run_id": str(RUN), "key": "user_score", "score": 1})
    review(entry["id"], grace, correct=0.2)

    def stats():
        (run,) = runs_of(mine, queue, include_stats="true")
        return set(run["feedback_stats"])

    assert stats() == {"user_score"}
    export = f"/annotation-queues/{queue['id']}/export"
    assert len(rows_of(mine.post(export, {}))) == 0
    review(entry["id"], ada, correct=0.4)
    assert stats() == {"user_score", "correct"}
    mine.key.created_by = None
    mine.key.save()
    assert stats() == {"user_score", "correct"}


# Export -----------------------------------------------------------------------------------------


def rows_of(answer):
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_an_export_has_the_completed_items_and_no_cell_is_a_formula(api, acme, ada, grace) -> None:
    add_run(acme, name="=cmd()", inputs='{"q": 1}', outputs='{"a": 2}')
    freeform = {"feedback_key": "why", "feedback_config": {"type": "freeform"}}
    queue = made(api, rubric_items=[RATED, freeform], num_reviewers_per_item=2)
    first, second = put(api, queue, RUN, OTHER)
    review(first["id"], grace, correct=0.25, why="=1+1")
    review(first["id"], ada, correct={"score": 1, "comment": "@sum"})
    review(second["id"], grace, correct=1)
    path = f"/annotation-queues/{queue['id']}/export"
    (row,) = rows_of(api.post(path, {}))
    assert (row["run_id"], row["name"], row["inputs"]) == (str(RUN), "'=cmd()", '{"q": 1}')
    assert (row["correct"], row["why"], row["n_reviews"]) == ("0.25 | 1", "'=1+1", "2")
    assert row["differ"] == "correct"
    (row,) = rows_of(api.post(path, {"include_annotator_detail": True}))
    assert (row["grace: correct"], row["ada: correct"]) == ("0.25", "1")
    assert (row["grace: why"], row["ada: correct comment"]) == ("'=1+1", "'@sum")
    assert row["ada: reviewed_at"]
    assert rows_of(api.post(path, {"end_time": "2020-01-01T00:00:00Z"})) == []
    assert len(rows_of(api.post(path, {"start_time": "2020-01-01T00:00:00Z"}))) == 1
    assert api.post(path, {"start_time": "soon"}).status_code == 422


# Threads ----------------------------------------------------------------------------------------


def test_a_thread_is_queued_once_shown_as_its_newest_run_and_judged_there(
    api, acme, ada, grace
) -> None:
    project = ProjectFactory(workspace=acme)
    for number in (1, 2):
        add_run(
            acme,
            UUID(int=number),
            project=project,
            start_time=NOON + timedelta(minutes=number),
            metadata={"thread_id": "chat-7"},
        )
    queue = made(api, rubric_items=[RATED])
    path = f"/platform/annotation-queues/{queue['id']}/items"
    body = {"item_type": "THREAD", "thread_id": "chat-7", "project_id": str(project.uuid)}
    (item,) = api.post(path, {"items": [body, body]}).json()["items"]
    (same,) = api.post(path, {"items": [{**body, "session_id": body.pop("project_id")}]}).json()[
        "items"
    ]
    assert same["id"] == item["id"]
    assert (item["item_type"], item["thread_id"], item["project_id"], item["run_id"]) == (
        "THREAD",
        "chat-7",
        str(project.uuid),
        None,
    )
    (run,) = runs_of(api, queue)
    assert (run["id"], run["thread_id"], run["item_type"]) == (str(OTHER), "chat-7", "THREAD")
    outcome = review(item["id"], grace, correct=0.5)
    judged = Feedback.objects.get()
    assert (judged.run_id, judged.feedback_thread_id, judged.score) == (OTHER, "chat-7", 0.5)
    reviews.retract(outcome.review, grace, timezone.now())
    assert not Feedback.objects.exists()


def test_answers_on_an_open_thread_are_hidden_with_its_runs(api, acme, ada, grace) -> None:
    project = ProjectFactory(workspace=acme)
    add_run(acme, project=project, metadata={"thread_id": "chat-7"})
    queue = made(api, num_reviewers_per_item=2, rubric_items=[RATED])
    path = f"/platform/annotation-queues/{queue['id']}/items"
    body = {"item_type": "THREAD", "thread_id": "chat-7", "project_id": str(project.uuid)}
    (item,) = api.post(path, {"items": [body]}).json()["items"]
    review(item["id"], grace, correct=0.5)
    thread = list(item_subjects.threads_of(acme.pk, [RUN]))
    assert Feedback.objects.filter(run_id=RUN, is_sealed=True).exists()
    assert blindness.hides_answers(ada, acme.pk, thread)
    review(item["id"], ada, correct=0.5)
    assert not Feedback.objects.filter(run_id=RUN, is_sealed=True).exists()
    assert not blindness.hides_answers(ada, acme.pk, thread)


def test_a_thread_without_a_run_waits_and_items_that_are_neither_are_refused(api) -> None:
    queue = made(api)
    path = f"/platform/annotation-queues/{queue['id']}/items"
    body = {"item_type": "THREAD", "thread_id": "chat", "project_id": str(uuid4())}
    api.post(path, {"items": [body]})
    (run,) = runs_of(api, queue)
    assert (run["name"], run["inputs"], run["thread_id"]) == ("pending", {}, "chat")
    for wrong, name in [
        ({"item_type": "RUN"}, "items.1.run_id"),
        ({"item_type": "THREAD", "project_id": str(uuid4())}, "items.1.thread_id"),
        ({"item_type": "THREAD", "thread_id": "t"}, "items.1.project_id"),
        ({"item_type": "PAIR"}, "items.1.item_type"),
        ("x", "items.1"),
    ]:
        answer = api.post(path, {"items": [{"run_id": str(RUN)}, wrong]})
        assert (answer.status_code, answer.json()["detail"].split(":")[0]) == (422, name)
    assert len(runs_of(api, queue)) == 1


# Experiments ------------------------------------------------------------------------------------


@pytest.fixture
def experiments(acme):
    """Two experiments over three examples; the first ran each example twice."""
    dataset = DatasetFactory(workspace=acme)
    examples = [UUID(int=900 + n) for n in range(3)]
    projects = []
    for place, repetitions in enumerate((2, 1)):
        project = ProjectFactory(workspace=acme, reference_dataset_id=dataset.uuid)
        projects.append(project)
        for repetition in range(repetitions):
            for number, example in enumerate(examples):
                add_run(
                    acme,
                    UUID(int=1000 * (place + 1) + 10 * repetition + number),
                    project=project,
                    start_time=NOON + timedelta(minutes=repetition),
                    reference_example_id=example,
                )
    return projects


def test_a_queue_is_filled_with_the_runs_of_experiments(api, acme, experiments) -> None:
    child = add_run(acme, UUID(int=5), project=experiments[0], parent_run_id=UUID(int=1000))
    queue = made(api, session_ids=[str(experiments[0].uuid)])
    assert queue["total_runs"] == 6
    body = {"queue_id": queue["id"], "session_ids": [str(one.uuid) for one in experiments]}
    for _ in range(2):
        assert api.post("/annotation-queues/populate", body).status_code == 200
    assert QueueItem.objects.filter(item_type="run").count() == 9
    assert not QueueItem.objects.filter(run_id=child.id).exists()


def test_a_pairwise_queue_holds_each_examples_runs_as_pairs_in_a_random_order(
    api, experiments
) -> None:
    queue = made(api, queue_type="pairwise", session_ids=[str(one.uuid) for one in experiments])
    assert (queue["queue_type"], queue["total_runs"]) == ("pairwise", 3)
    (rubric,) = queue["rubric_items"]
    assert rubric["feedback_key"] == "preference"
    pairs = QueueItem.objects.values_list("first_run_id", "second_run_id", "example_id")
    assert set(pairs) == {
        (UUID(int=1000 + n), UUID(int=2000 + n), UUID(int=900 + n)) for n in range(3)
    }
    comparison = Comparison.objects.get()
    assert set(QueueItem.objects.values_list("comparison_id", flat=True)) == {comparison.uuid}
    assert set(comparison.projects.all()) == set(experiments)
    body = {"queue_id": queue["id"], "session_ids": [str(one.uuid) for one in experiments[::-1]]}
    assert api.post("/annotation-queues/populate", body).status_code == 200
    assert QueueItem.objects.count() == 3  # the same pairs, whichever way round
    assert Comparison.objects.count() == 1
    for run in runs_of(api, queue):
        item = QueueItem.objects.get(uuid=run["queue_run_id"])
        shown = [run["id"], run["paired_run_id"]]
        pair = [str(item.first_run_id), str(item.second_run_id)]
        assert shown == (pair[::-1] if item.is_swapped else pair)
    assert [one["id"] for one in api.get(f"/annotation-queues/{UUID(int=2000)}/queues").json()] == [
        queue["id"]
    ]


def test_the_order_of_a_pair_is_tossed_for_each_item(api, acme, experiments) -> None:
    for number in range(100, 160):
        for place in (0, 1):
            add_run(
                acme,
                UUID(int=1000 * (place + 1) + number),
                project=experiments[place],
                reference_example_id=UUID(int=5000 + number),
            )
    made(api, queue_type="pairwise", session_ids=[str(one.uuid) for one in experiments])
    swapped = QueueItem.objects.filter(is_swapped=True).count()
    assert 10 < swapped < 53  # of 63: it would be chance once in ten million


def test_a_preference_is_comparative_feedback_of_both_runs_and_in_no_ones_figures(
    api, acme, experiments, grace
) -> None:
    made(api, queue_type="pairwise", session_ids=[str(one.uuid) for one in experiments])
    item = QueueItem.objects.order_by("first_run_id").first()
    outcome = review(item.uuid, grace, preference={"value": "second", "comment": "shorter"})
    first = Feedback.objects.get(run_id=item.first_run_id)
    second = Feedback.objects.get(run_id=item.second_run_id)
    assert (first.key, first.score, second.score) == ("preference", 0.0, 1.0)
    assert first.feedback_group_id == second.feedback_group_id != None  # noqa: E711
    assert first.comparative_experiment_id == item.comparison_id
    shown = [str(item.first_run_id), str(item.second_run_id)]
    assert first.extra["shown"] == (shown[::-1] if item.is_swapped else shown)
    assert "preference" not in api.get(f"/runs/{item.first_run_id}").json()["feedback_stats"]
    assert outcome.review.ratings.get().code == 2
    reviews.retract(outcome.review, grace, timezone.now())
    assert not Feedback.objects.exists()


def test_an_unfitting_queue_body_is_422_by_field(api, acme, experiments) -> None:
    pairwise = made(api, queue_type="pairwise")
    single = made(api)
    plain = ProjectFactory(workspace=acme)
    for queue, sessions, name in [
        (pairwise, [str(experiments[0].uuid)], "session_ids"),
        (single, [str(plain.uuid)], "session_ids.0"),
        (single, [str(uuid4())], "session_ids.0"),
        (single, "x", "session_ids"),
    ]:
        body = {"queue_id": queue["id"], "session_ids": sessions}
        answer = api.post("/annotation-queues/populate", body)
        assert (answer.status_code, answer.json()["detail"].split(":")[0]) == (422, name)
    path = f"/annotation-queues/{pairwise['id']}"
    assert api.post(f"{path}/runs", [str(RUN)]).status_code == 422
    assert api.patch(path, {"queue_type": "single"}).status_code == 422
    body = {"queue_id": str(uuid4()), "session_ids": []}
    assert api.post("/annotation-queues/populate", body).status_code == 404
    assert QueueItem.objects.count() == 0
    assert RubricItem.objects.filter(queue__uuid=pairwise["id"]).count() == 1
    assert Run.objects.filter(workspace=acme).count() == 9
