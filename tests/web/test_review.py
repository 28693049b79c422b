"""The workbench's requests: by a plain form, and by the script that swaps parts."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from annotations.models import Deferral, Review, ReviewDraft, Seat
from annotations.queues import rubric_editing
from datasets_app import sharing as dataset_sharing
from observatory.feedback.models import Feedback
from observatory.runs import sharing
from observatory.runs.models import Project
from tests.scenes import submission

pytestmark = pytest.mark.django_db
OURS = {"X-Obs-Fetch": "1"}


@pytest.fixture
def workbench(scene, grace, as_user):
    """`workbench.post("submit", {...})` as grace, on the item she holds."""

    class Bench:
        client = as_user(grace)
        base = f"/w/acme/queues/{scene.queue.uuid}"

        def open(self, query: str = ""):
            page = self.client.get(f"{self.base}/review/{query}")
            self.item = page.context["item"]
            self.lease = str(page.context["seat"].lease)
            return page

        def post(self, action: str, body: dict, **headers: str):
            return self.client.post(
                f"{self.base}/items/{self.item.uuid}/{action}", body, headers=headers or None
            )

    return Bench()


def key_of(scene, key: str) -> int:
    return scene.queue.rubric_items.get(feedback_key=key).pk


def test_a_plain_form_stores_the_review_and_shows_the_next_item(workbench, scene, grace) -> None:
    workbench.open()
    first = workbench.item
    answer = workbench.post(
        "submit",
        submission(scene.queue, note="fine", correction="Another answer.", lease=workbench.lease),
    )
    assert answer["Location"] == f"{workbench.base}/review/"
    review = Review.objects.get()
    assert (review.item, review.reviewer, review.note) == (first, grace, "fine")
    assert review.correction == {"outputs": {"answer": "Another answer."}}
    assert review.dwell_ms == 5000
    workbench.open()
    assert workbench.item != first


def test_an_unchanged_answer_does_not_count_as_a_correction(workbench, scene) -> None:
    page = workbench.open()
    original = page.context["editor"]["original"]
    workbench.post(
        "submit", submission(scene.queue, correction=original.replace("\n", "\r\n") + " \r\n")
    )
    assert Review.objects.get().correction is None


def test_the_same_form_twice_is_one_review(workbench, scene) -> None:
    workbench.open()
    form = submission(scene.queue)
    assert workbench.post("submit", form).status_code == 302
    assert workbench.post("submit", form).status_code == 302
    assert Review.objects.count() == 1


def test_a_form_with_a_mistake_comes_back_with_what_was_typed(workbench, scene) -> None:
    workbench.open()
    form = submission(scene.queue, correct="", note="half done", correction="Typed.")
    answer = workbench.post("submit", form)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "An answer is needed." in text
    assert "half done" in text
    assert "Typed." in text
    assert Review.objects.count() == 0
    assert ReviewDraft.objects.get().content["note"] == "half done"


def test_an_answer_off_the_scale_is_refused_in_words(workbench, scene) -> None:
    workbench.open()
    form = submission(scene.queue) | {f"answer-{key_of(scene, 'effort')}": "11"}
    answer = workbench.post("submit", form, **OURS)
    assert answer.status_code == 422
    assert answer.content.decode() == "Effort for the customer: Give a number from 0 to 10."


def test_json_outputs_must_stay_json(workbench, scene, now) -> None:
    workbench.open()
    from observatory.runs.models import Run

    Run.objects.filter(id=workbench.item.run_id).update(outputs='{"a": [1, 2], "b": {"c": 3}}')
    assert workbench.open(f"?item={workbench.item.uuid}").context["editor"]["shape"] == "json"
    refused = workbench.post("submit", submission(scene.queue, correction='{"a": [1, 2'), **OURS)
    assert refused.status_code == 422
    assert "line 1" in refused.content.decode()
    assert (
        workbench.post(
            "submit", submission(scene.queue, correction='{"b": {"c": 3.0}, "a": [1, 2]}')
        ).status_code
        == 302
    )
    assert Review.objects.get().correction is None


def test_a_script_gets_progress_rail_and_the_item_after(
    workbench, scene, django_assert_max_num_queries
) -> None:
    workbench.open()
    nxt = workbench.client.get(
        f"{workbench.base}/review/next?showing={workbench.item.uuid}", headers=OURS
    )
    showing = nxt.context["item"]
    assert showing != workbench.item
    with django_assert_max_num_queries(16):
        answer = workbench.post(
            "submit", submission(scene.queue, showing=str(showing.uuid)), **OURS
        )
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "<html" not in text
    for part in ('id="progress"', 'id="rail"', '<template id="next"'):
        assert part in text
    assert 'data-done="1"' in text
    assert answer.context["item"] not in (workbench.item, showing)


def test_the_item_after_is_not_held_when_few_are_left(acme, grace, as_user) -> None:
    from tests import scenes

    scene = scenes.build(acme, timezone.now(), n_items=2, reviewers=1)
    client = as_user(grace)
    base = f"/w/acme/queues/{scene.queue.uuid}"
    item = client.get(f"{base}/review/").context["item"]
    answer = client.get(f"{base}/review/next?showing={item.uuid}", headers=OURS)
    assert answer.context.get("item") is None
    assert Seat.objects.exclude(reviewer=None).count() == 1


def test_input_is_saved_and_another_tab_is_detected(workbench, scene) -> None:
    workbench.open()
    form = submission(scene.queue, note="a", draft_version="0")
    assert workbench.post("draft", form, **OURS)["X-Draft-Version"] == "1"
    assert (
        workbench.post("draft", form | {"note": "b", "draft_version": "1"}, **OURS)[
            "X-Draft-Version"
        ]
        == "2"
    )
    stale = workbench.post("draft", form | {"note": "c", "draft_version": "1"}, **OURS)
    assert (stale.status_code, stale["X-Draft-Version"]) == (409, "2")
    page = workbench.open().content.decode()
    assert "Your draft is back" in page
    assert "\nb</textarea>" in page
    workbench.post("submit", form)
    assert ReviewDraft.objects.count() == 0
    assert workbench.post("draft", form, **OURS).status_code == 410


def test_a_skipped_item_is_not_offered_again(workbench, scene, grace) -> None:
    workbench.open()
    skipped = workbench.item
    assert workbench.post("skip", {"reason": "unclear"}).status_code == 302
    assert Deferral.objects.get().reason == "unclear"
    workbench.open()
    assert workbench.item != skipped
    assert workbench.post("skip", {"reason": "bored"}, **OURS).status_code == 422


def test_a_requeued_item_comes_last(workbench, scene) -> None:
    workbench.open()
    first = workbench.item
    workbench.post("requeue", {})
    seen = []
    for _ in range(len(scene.items)):
        workbench.open()
        seen.append(workbench.item)
        workbench.post("submit", submission(scene.queue))
    assert seen[-1] == first
    assert len(set(seen)) == len(scene.items)


def test_a_review_can_be_taken_back_with_its_answers(workbench, scene, grace) -> None:
    workbench.open()
    item = workbench.item
    workbench.post("submit", submission(scene.queue, correct="1", note="hm", correction="Mine."))
    review = Review.objects.get()
    undo = f"{workbench.base}/reviews/{review.uuid}/undo"
    answer = workbench.client.post(undo, headers=OURS)
    assert answer.context["item"] == item
    assert answer.context["typed"].note == "hm"
    assert answer.context["editor"]["text"] == "Mine."
    review.refresh_from_db()
    assert review.retracted_at is not None
    assert workbench.client.post(undo)["Location"].endswith(f"?item={item.uuid}")


def test_a_reviewer_cannot_undo_anothers_review(workbench, scene, alan) -> None:
    scene.answer(alan, scene.items[0], 2, timezone.now())
    review = Review.objects.get()
    assert workbench.client.post(f"{workbench.base}/reviews/{review.uuid}/undo").status_code == 404


def test_activity_holds_the_item_longer_until_the_reservation_is_lost(workbench, scene) -> None:
    workbench.open()
    seat = Seat.objects.get(item=workbench.item, lease=workbench.lease)
    Seat.objects.filter(pk=seat.pk).update(expires_at=timezone.now() + timedelta(seconds=30))
    told = workbench.post("heartbeat", {"lease": workbench.lease}, **OURS).json()
    assert told["expires_at"] > told["now"]
    assert workbench.post("heartbeat", {"lease": str(uuid4())}, **OURS).status_code == 409
    assert workbench.post("release", {"lease": str(uuid4())}).status_code == 204
    assert Seat.objects.get(pk=seat.pk).lease is not None
    workbench.post("release", {"lease": workbench.lease})
    assert Seat.objects.get(pk=seat.pk).lease is None
    assert workbench.post("heartbeat", {"lease": workbench.lease}, **OURS).status_code == 409


def test_a_review_after_the_reservation_ended_still_counts(workbench, scene) -> None:
    workbench.open()
    Seat.objects.filter(lease=workbench.lease).update(
        expires_at=timezone.now() - timedelta(minutes=1)
    )
    workbench.post("submit", submission(scene.queue, lease=workbench.lease))
    assert Review.objects.get().is_counted


def test_a_rubric_that_changed_meanwhile_keeps_the_answers(workbench, scene) -> None:
    from tests.scenes import RUBRIC

    workbench.open()
    form = submission(scene.queue, note="kept")
    rubric_editing.set_rubric(
        scene.queue, [*RUBRIC, {"feedback_key": "new", "kind": "boolean"}], now=timezone.now()
    )
    answer = workbench.post("submit", form, **OURS)
    assert answer.status_code == 409
    assert "The rubric was changed" in answer.content.decode()
    assert ReviewDraft.objects.get().content["note"] == "kept"
    assert "kept" in workbench.post("submit", form).content.decode()


def test_an_item_i_reviewed_leads_to_its_answers(workbench, scene) -> None:
    workbench.open()
    workbench.post("submit", submission(scene.queue))
    answer = workbench.client.get(f"{workbench.base}/review/?item={workbench.item.uuid}")
    assert answer["Location"] == f"{workbench.base}/items/{workbench.item.uuid}/"
    second = workbench.post("submit", submission(scene.queue), **OURS)
    assert second.status_code == 409


@pytest.mark.parametrize(
    ("field", "words"),
    [("is_paused", "This queue is paused"), ("archived_at", "This queue is archived")],
)
def test_a_queue_without_items_shows_the_reason(workbench, scene, field, words) -> None:
    value = True if field == "is_paused" else timezone.now()
    type(scene.queue).objects.filter(pk=scene.queue.pk).update(**{field: value})
    assert words in workbench.client.get(f"{workbench.base}/review/").content.decode()


def test_an_unassigned_reviewer_sees_the_reason(acme, scene, ada, as_user) -> None:
    type(scene.queue).objects.filter(pk=scene.queue.pk).update(access="assigned")
    page = as_user(ada).get(f"/w/acme/queues/{scene.queue.uuid}/review/").content.decode()
    assert "You are not a reviewer of this queue" in page


def test_an_item_whose_run_has_not_come_can_be_skipped(workbench, scene) -> None:
    from annotations.queues import queue_items

    (item,) = queue_items.add_runs(scene.queue, [uuid4()], source="api", now=timezone.now())
    page = workbench.open(f"?item={item.uuid}").content.decode()
    assert "has not been received" in page
    assert workbench.post("skip", {"reason": "broken"}).status_code == 302


def test_the_tabs_show_the_run_from_all_sides(workbench, scene) -> None:
    workbench.open()
    address = f"{workbench.base}/items/{workbench.item.uuid}/context"
    part = {"HX-Request": "true"}
    words = {
        "inputs": "You are a support bot",
        "outputs": "answer",
        "metadata": "enterprise",
        "trace": 'role="tree"',
        "conversation": 'id="answer"',
    }
    for tab, expected in words.items():
        assert (
            expected in workbench.client.get(f"{address}?tab={tab}", headers=part).content.decode()
        ), tab
    assert workbench.client.get(f"{address}?tab=trace")["Location"].endswith(
        f"?item={workbench.item.uuid}&tab=trace"
    )


def test_the_server_can_compute_the_diff(workbench, scene) -> None:
    workbench.open()
    answer = workbench.post("diff", submission(scene.queue, correction="Quite another."), **OURS)
    assert "<ins>" in answer.content.decode()
    page = workbench.post(
        "diff", submission(scene.queue, correction="Quite another.", note="keep me")
    ).content.decode()
    assert "<ins>" in page
    assert "keep me" in page


# Blind (promise C4) ------------------------------------------------------------------------------


def test_others_answers_stay_hidden_until_mine_is_in(scene, grace, alan, ada, as_user) -> None:
    secret = "the-secret-note"
    item = scene.items[0]
    scene.answer(
        alan,
        item,
        0,
        timezone.now(),
        note=secret,
        correction={"outputs": {"answer": "secret-correction"}},
    )
    run = f"/w/acme/runs/{item.run_id}/"
    pages = [
        f"/w/acme/queues/{scene.queue.uuid}/items/{item.uuid}/",
        run,
        f"{run}?tab=feedback",
        f"/w/acme/projects/{scene.project.uuid}/",
        f"/w/acme/queues/{scene.queue.uuid}/review/?item={item.uuid}",
    ]
    for person in (grace, ada):
        client = as_user(person)
        for address in pages:
            text = client.get(address).content.decode()
            assert secret not in text, address
            assert "secret-correction" not in text, address
            if "/runs/" in address or "/projects/" in address:
                assert "<span>polite" not in text, address
    assert "hidden until yours is in" in as_user(grace).get(run).content.decode()
    scene.answer(grace, item, 2, timezone.now())
    after = as_user(grace).get(f"{run}?tab=feedback").content.decode()
    assert secret in after
    assert "secret-correction" in after
    assert secret in as_user(ada).get(pages[0]).content.decode()


def test_a_filter_does_not_reveal_an_answer_until_its_item_is_settled(
    scene, grace, alan, ada, as_user
) -> None:
    """A reviewer who asks for each score in turn would read the answers off the list.

    A filter matches the same for all members: also for the author the answer counts once it is settled.
    """
    item = scene.items[0]
    scene.answer(alan, item, 0, timezone.now(), note="the-secret-note")
    given = Feedback.objects.filter(user=alan).exclude(score=None).order_by("key").first()
    assert given is not None
    key, score = given.key, given.score
    address = f"/w/acme/projects/{scene.project.uuid}/"
    asked = [
        f"eq(feedback_key, '{key}')",
        f"and(eq(feedback_key, '{key}'), eq(feedback_score, {score:g}))",
        "search(feedback_comment, 'secret')",
        "eq(feedback_source, 'app')",
    ]

    def finds(person, text: str) -> bool:
        answer = as_user(person).get(address, {"filter": text, "all": "1"})
        assert answer.status_code == 200
        return item.run_id in {row["run"].id for row in answer.context["rows"]}

    for text in asked:
        assert not finds(grace, text), text
        assert not finds(ada, text), text
        assert not finds(alan, text), text
    assert finds(grace, f"neq(feedback_key, '{key}')")
    scene.answer(grace, item, 2, timezone.now())
    for text in (*asked[:2], asked[3]):
        assert finds(grace, text), text
        assert finds(ada, text), text
    assert not finds(alan, f"neq(feedback_key, '{key}')")


def test_a_shared_page_does_not_reveal_blind_answers(scene, acme, grace, alan) -> None:
    """A reviewer needs no key to open a link: what it shows waits like everything else."""
    item = scene.items[0]
    scene.answer(alan, item, 0, timezone.now(), note="the-secret-note")
    given = Feedback.objects.filter(user=alan).exclude(score=None).order_by("key").first()
    assert given is not None
    key = given.key
    Feedback.objects.create(
        workspace=acme, run_id=item.run_id, project=scene.project, key="plain", score=1
    )
    Project.objects.filter(pk=scene.project.pk).update(reference_dataset_id=scene.dataset.uuid)
    run = sharing.share(acme, item.run_id).token
    dataset = dataset_sharing.share(scene.dataset).token
    selects = {"selects": ["FEEDBACK_STATS"]}

    def told() -> dict[str, str]:
        anybody = Client()
        return {
            "page": anybody.get(f"/public/{run}/r").content.decode(),
            "run": anybody.get(f"/public/{run}/run").content.decode(),
            "feedback": anybody.get(f"/public/{run}/feedbacks").content.decode(),
            "v2": anybody.post(
                f"/api/v2/public/{run}/runs/query", selects, content_type="application/json"
            ).content.decode(),
            "of a dataset": anybody.get(f"/public/{dataset}/datasets/feedback").content.decode(),
            "experiments": anybody.get(f"/public/{dataset}/datasets/sessions").content.decode(),
        }

    for place, text in told().items():
        assert key not in text, place
        assert "the-secret-note" not in text, place
        assert "plain" in text, place
    scene.answer(grace, item, 2, timezone.now())
    for place, text in told().items():
        assert key in text, place


def test_a_database_that_takes_no_writes_is_503_not_500(workbench, scene) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL transaction_read_only = on")
    answer = workbench.client.get(f"{workbench.base}/review/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "20")
