"""Rules, items, dead changes and the quarantine in the admin."""

from __future__ import annotations

import re
from uuid import uuid4

from annotations.models import (
    QueueItem,
    Review,
    RoutingRule,
    RuleVersion,
    Seat,
)
from annotations.routing import presets
from observatory.feedback.models import Feedback
from observatory.runs.models import Change, Rejected
from tests.admin.console import furnish, page, signed_in
from tests.factories import (
    AnnotationQueueFactory,
    QueueItemFactory,
    UserFactory,
)


def rule_form(acme, queue, **fields) -> dict:
    return {
        "workspace": acme.pk,
        "name": "Errors",
        "filter": 'eq(status, "error")',
        "sampling_rate": 1,
        "queue": queue.pk,
        "priority": 0,
        "versions-TOTAL_FORMS": 0,
        "versions-INITIAL_FORMS": 0,
        **fields,
    }


def test_an_invalid_filter_is_refused_with_its_position(acme, ada) -> None:
    queue = AnnotationQueueFactory(workspace=acme)
    answer = signed_in(ada).post(
        page("annotations_routingrule_add"), rule_form(acme, queue, filter='eq(status, "error"')
    )
    assert "at character" in answer.content.decode()
    assert not RoutingRule.objects.exists()


def test_rules_are_kept_by_version_and_switched(acme, ada) -> None:
    queue, client = AnnotationQueueFactory(workspace=acme), signed_in(ada)
    answer = client.post(page("annotations_routingrule_add"), rule_form(acme, queue))
    assert answer.status_code == 302, answer.context["errors"]
    rule = RoutingRule.objects.get()
    path = page("annotations_routingrule_change", rule.pk)
    client.post(path, rule_form(acme, queue, sampling_rate=0.5))
    rule.refresh_from_db()
    assert (rule.version, rule.is_enabled) == (2, False)
    assert RuleVersion.objects.filter(rule=rule, created_by=ada).count() == 2
    listing = page("annotations_routingrule_changelist")
    for action, is_enabled in (("switch_on", True), ("switch_off", False)):
        client.post(listing, {"action": action, "_selected_action": [rule.pk]})
        rule.refresh_from_db()
        assert rule.is_enabled is is_enabled


def test_presets_are_installed_by_one_click_or_chosen(acme, rival, ada) -> None:
    queue, client = AnnotationQueueFactory(workspace=acme), signed_in(ada)
    client.post(
        page("annotations_annotationqueue_changelist"),
        {"action": "install_presets", "_selected_action": [queue.pk]},
    )
    assert RoutingRule.objects.filter(queue=queue, is_enabled=True).count() == len(presets.PRESETS)
    other = AnnotationQueueFactory(workspace=acme)
    path = page("annotations_routingrule_presets")
    assert "High-stakes topic" in client.get(path).content.decode()
    assert (
        "Install presets" in client.get(page("annotations_routingrule_changelist")).content.decode()
    )
    client.post(path, {"queue": other.pk, "presets": ["errors"]})
    assert RoutingRule.objects.get(queue=other).is_enabled is False
    theirs = AnnotationQueueFactory(workspace=rival)
    client.post(path, {"queue": theirs.pk, "presets": ["errors"]})
    assert not RoutingRule.objects.filter(queue=theirs).exists()


def test_items_say_why_and_are_released_requeued_and_removed(acme, ada, grace) -> None:
    made = furnish(acme, grace)
    item, client = made["item"], signed_in(ada)
    listing = page("annotations_queueitem_changelist")
    text = client.get(listing).content.decode()
    assert "confidence 63 %, below 70 %" in text
    assert "grace until" in text
    for action, expected in (("release", "open"), ("remove", "removed"), ("requeue", "open")):
        client.post(listing, {"action": action, "_selected_action": [item.pk]})
        item.refresh_from_db()
        assert item.state == expected
        assert not Seat.objects.filter(item=item, reviewer__isnull=False).exists()


def test_blind_answers_are_hidden_until_the_users_own(acme, ada, grace) -> None:
    queue = AnnotationQueueFactory(workspace=acme, is_blind=True)
    item = QueueItemFactory(queue=queue)
    review = Review.objects.create(
        workspace=acme,
        submission_id=uuid4(),
        queue=queue,
        item=item,
        reviewer=grace,
        rubric_version=1,
        scores={},
        note="secret-verdict",
    )
    told = Feedback.objects.create(
        workspace=acme,
        key="secret-verdict",
        run_id=item.run_id,
        source_type="app",
        user=grace,
        review_uuid=review.uuid,
        is_sealed=True,
    )
    operator = UserFactory(username="root", is_superuser=True, is_staff=True)
    listings = [page("annotations_review_changelist"), page("feedback_feedback_changelist")]
    pages = [
        page("annotations_review_change", review.pk),
        page("feedback_feedback_change", told.pk),
    ]
    for user in (ada, operator):
        for path in listings:
            assert str(review.pk) not in re.findall(
                r"/(\d+)/change/", signed_in(user).get(path).content.decode()
            )
        for path in pages:
            assert signed_in(user).get(path).status_code == 302
    QueueItem.objects.filter(pk=item.pk).update(state="completed")
    for path in pages:
        assert "secret-verdict" in signed_in(ada).get(path).content.decode()
        assert signed_in(operator).get(path).status_code == 302


def test_a_dead_change_is_redriven(acme, ada) -> None:
    change = Change.objects.create(
        workspace=acme, kind="run", run_ids=[uuid4()], is_dead=True, attempts=5
    )
    other = Change.objects.create(
        workspace=acme, kind="run", run_ids=[uuid4()], is_dead=True, attempts=5
    )
    signed_in(ada).post(
        page("runs_change_changelist"), {"action": "redrive", "_selected_action": [change.pk]}
    )
    change.refresh_from_db()
    other.refresh_from_db()
    assert (change.is_dead, change.attempts, other.is_dead) == (False, 0, True)


def test_the_quarantine_is_shown_escaped_and_cut(acme, ada) -> None:
    row = Rejected.objects.create(
        workspace=acme,
        kind="run",
        code="bad",
        reason="r",
        raw=b"<script>alert(1)</script>\xff" + b"x" * 10_000,
    )
    text = signed_in(ada).get(page("runs_rejected_change", row.pk)).content.decode()
    assert "&lt;script&gt;alert(1)" in text
    assert "(10,026 bytes in all)" in text
    assert "x" * 5_000 not in text
