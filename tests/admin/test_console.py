"""The admin as an operator's console: scoped by role, blind-safe, flat in queries."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from annotations import presets, queues, routing_rules
from annotations.models import (
    AnnotationQueue,
    QueueItem,
    Review,
    RoutingDecision,
    RoutingRule,
    RubricItem,
    RubricVersion,
    RuleVersion,
    Seat,
)
from datasets_app import examples, harvest, versions
from datasets_app.examples import ExampleInput
from datasets_app.models import Harvest
from observatory.feedback.models import Feedback, FeedbackConfig, PresignedToken
from observatory.prompts.models import PromptRepo
from observatory.runs.models import Change, ModelPrice, Rejected
from observatory.workspaces import keys
from observatory.workspaces.models import ApiKey, Membership, User
from tests.conftest import NOON
from tests.factories import (
    AnnotationQueueFactory,
    DatasetFactory,
    ProjectFactory,
    QueueItemFactory,
    RubricItemFactory,
    UserFactory,
    member,
)

CANARY = "canary-of-acme"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(name: str, *args) -> str:
    return reverse(f"admin:{name}", args=args)


def furnish(workspace, reviewer, n: int = 1) -> dict:
    """Give `workspace` n objects of everything the admin shows; return one of each model."""
    made: dict = {}
    for number in range(n):
        name = f"{CANARY}-{workspace.slug}-{number}-{uuid4().hex[:6]}"
        project = ProjectFactory(workspace=workspace, name=name)
        queue = AnnotationQueueFactory(workspace=workspace, name=name, is_blind=False)
        question = RubricItemFactory(queue=queue, feedback_key=name)
        item = QueueItemFactory(queue=queue)
        queue.assigned_reviewers.add(reviewer)
        rule = routing_rules.set_rule(
            workspace,
            routing_rules.RuleDefinition(
                name=name, filter="eq(is_root, true)", queue=queue, projects=[project]
            ),
            now=NOON,
        )
        RoutingDecision.objects.create(
            item=item,
            rule=rule,
            rule_uuid=rule.uuid,
            rule_name=name,
            rule_version=1,
            filter="",
            clauses=[
                {"field": "metadata.confidence", "operator": "lt", "expected": 70, "actual": 63}
            ],
            draw=0.1,
            sampling_rate=1,
            inclusion_probability=1,
        )
        Seat.objects.filter(item=item).update(
            reviewer=reviewer,
            lease=uuid4(),
            reserved_at=timezone.now(),
            expires_at=timezone.now() + timedelta(hours=1),
        )
        review = Review.objects.create(
            workspace=workspace,
            submission_id=uuid4(),
            queue=queue,
            item=item,
            reviewer=reviewer,
            rubric_version=1,
            scores={question.feedback_key: {"score": 1}},
            note=name,
        )
        dataset = DatasetFactory(workspace=workspace, name=name)
        examples.create(dataset, [ExampleInput(inputs=f'{{"q": "{name}"}}')], now=NOON)
        versions.tag(dataset, "latest" if False else None, "prod")
        harvest.connect(queue, dataset)
        key, _ = keys.mint(workspace, name, created_by=reviewer)
        made = {
            "queue": queue,
            "rule": rule,
            "item": item,
            "review": review,
            "dataset": dataset,
            "project": project,
            "key": key,
            "example": dataset.examples.get(),
            "version": dataset.versions.get(),
            "feedback": Feedback.objects.create(
                workspace=workspace, key=name, project=project, run_id=item.run_id, user=reviewer
            ),
            "config": FeedbackConfig.objects.create(workspace=workspace, key=name, config={}),
            "token": PresignedToken.objects.create(
                workspace=workspace,
                digest=uuid4().bytes * 2,
                run_id=uuid4(),
                key=name,
                expires_at=NOON,
            ),
            "rejected": Rejected.objects.create(
                workspace=workspace, kind="run", code="bad", reason=name, raw=b"<script>"
            ),
            "change": Change.objects.create(
                workspace=workspace, kind="run", run_ids=[uuid4()], last_error=name
            ),
            "price": ModelPrice.objects.create(
                workspace=workspace, model=name, prompt_price=1, completion_price=2
            ),
            "prompt": PromptRepo.objects.create(workspace=workspace, handle=name),
            "workspace": workspace,
        }
    return made


OURS = [model for model in admin.site._registry if model._meta.app_label != "auth"]
NAMES = {
    "workspace": "workspaces_workspace",
    "key": "workspaces_apikey",
    "project": "runs_project",
    "rejected": "runs_rejected",
    "change": "runs_change",
    "price": "runs_modelprice",
    "feedback": "feedback_feedback",
    "config": "feedback_feedbackconfig",
    "token": "feedback_presignedtoken",
    "queue": "annotations_annotationqueue",
    "rule": "annotations_routingrule",
    "item": "annotations_queueitem",
    "review": "annotations_review",
    "dataset": "datasets_dataset",
    "version": "datasets_datasetversion",
    "example": "datasets_example",
    "prompt": "prompts_promptrepo",
}


def test_every_admin_of_ours_is_in_these_tests() -> None:
    shown = {f"{model._meta.app_label}_{model._meta.model_name}" for model in OURS}
    assert shown == set(NAMES.values()) | {"workspaces_user"}


def test_a_visitor_is_sent_to_the_login_page(client, db) -> None:
    answer = client.get(page("annotations_queueitem_changelist"), follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=/admin/")


def test_the_admin_is_for_those_who_manage_and_a_lowered_role_counts_at_once(ada, grace) -> None:
    assert signed_in(grace).get("/admin/", follow=True).status_code == 403
    client = signed_in(ada)
    assert client.get("/admin/").status_code == 200
    Membership.objects.filter(user=ada).update(role="reviewer")
    assert client.get("/admin/", follow=True).status_code == 403


def test_every_list_and_page_opens_and_obeys_the_content_policy(acme, ada, grace) -> None:
    made = furnish(acme, grace)
    client = signed_in(ada)
    paths = [page(f"{name}_changelist") for name in NAMES.values()]
    for path in paths + [page(f"{name}_change", made[what].pk) for what, name in NAMES.items()]:
        answer = client.get(path)
        assert answer.status_code == 200, path
        text = answer.content.decode()
        assert not re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text), path
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=", text), path
        assert "'unsafe-inline'" not in answer["Content-Security-Policy"]
        assert "<script>" not in text.replace("&lt;script&gt;", "")


@pytest.fixture
def furnished(acme, rival, grace, mallory):
    return furnish(acme, grace), furnish(rival, mallory), signed_in(mallory)


def test_another_workspace_is_neither_listed_nor_opened_nor_offered(furnished) -> None:
    for what, name in NAMES.items():
        _try_to_reach(what, name, *furnished)


def _try_to_reach(what: str, name: str, made: dict, mine: dict, client: Client) -> None:
    for path in (
        page(f"{name}_changelist"),
        f"{page(f'{name}_changelist')}?q={CANARY}",
        page(f"{name}_change", mine[what].pk),
        page(f"{name}_add"),
    ):
        answer = client.get(path)
        assert answer.status_code in {200, 403}, path
        assert f"{CANARY}-acme" not in answer.content.decode(), path
        assert "grace" not in answer.content.decode(), path
    for suffix in ("change", "history", "delete"):
        answer = client.get(page(f"{name}_{suffix}", made[what].pk))
        assert (answer.status_code, answer.get("Location")) in {(302, "/admin/"), (403, None)}, (
            suffix
        )
    post = client.post(page(f"{name}_change", made[what].pk), {"name": "taken over"})
    assert post.status_code in {302, 403}
    assert post.get("Location") in {None, "/admin/"}


def test_a_filter_by_another_workspaces_queue_shows_nothing(acme, rival, grace, mallory) -> None:
    made = furnish(acme, grace)
    furnish(rival, mallory)
    text = (
        signed_in(mallory)
        .get(f"{page('annotations_queueitem_changelist')}?queue__id__exact={made['queue'].pk}")
        .content.decode()
    )
    assert str(made["item"].run_id) not in text


def test_lists_do_not_loop(acme, ada, grace) -> None:
    client = signed_in(ada)

    def n_queries(name: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(page(f"{name}_changelist")).status_code == 200
        return len(seen)

    names = [name for what, name in NAMES.items() if what != "workspace"]
    furnish(acme, grace, 2)
    before = {name: n_queries(name) for name in names}
    furnish(acme, grace, 6)
    assert {name: n_queries(name) for name in names} == before
    assert max(before.values()) <= 14


def test_a_key_is_shown_once_works_and_can_be_revoked(acme, ada) -> None:
    client = signed_in(ada)
    answer = client.post(page("workspaces_apikey_add"), {"workspace": acme.pk, "name": "ci"})
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    token = re.search(r'value="(obs_[^"]+)"', answer.content.decode())[1]
    key = ApiKey.objects.get()
    assert keys.find(token, timezone.now()) == key
    assert key.created_by == ada
    for path in (page("workspaces_apikey_changelist"), page("workspaces_apikey_change", key.pk)):
        text = client.get(path).content.decode()
        assert token not in text
        assert bytes(key.digest).hex() not in text
    client.post(
        page("workspaces_apikey_changelist"), {"action": "revoke", "_selected_action": [key.pk]}
    )
    assert keys.find(token, timezone.now()) is None


def test_a_key_of_another_workspace_is_refused(acme, mallory) -> None:
    signed_in(mallory).post(page("workspaces_apikey_add"), {"workspace": acme.pk, "name": "x"})
    assert not ApiKey.objects.exists()


def person(**fields) -> dict:
    return {
        "username": "joan",
        "email": "joan@example.com",
        "password1": "a long enough secret",
        "password2": "a long enough secret",
        "role": "reviewer",
        **fields,
    }


def test_an_owner_adds_a_person_with_a_role_and_no_more(acme, rival, ada) -> None:
    client = signed_in(ada)
    answer = client.post(page("workspaces_user_add"), person(workspace=acme.pk, is_superuser="on"))
    assert answer.status_code == 302
    joan = User.objects.get(username="joan")
    assert joan.check_password("a long enough secret")
    assert not joan.is_superuser
    assert list(joan.memberships.values_list("workspace__slug", "role")) == [("acme", "reviewer")]
    client.post(page("workspaces_user_add"), person(workspace=rival.pk, username="eve"))
    assert not User.objects.filter(username="eve").exists()


def test_an_owner_cannot_take_an_account_over(acme, ada, grace) -> None:
    client = signed_in(ada)
    path = page("workspaces_user_change", grace.pk)
    text = client.get(path).content.decode()
    assert 'name="password"' not in text
    assert 'name="is_superuser"' not in text
    inline = {
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 1,
        "memberships-0-id": grace.memberships.get().pk,
        "memberships-0-user": grace.pk,
        "memberships-0-workspace": acme.pk,
        "memberships-0-role": "manager",
    }
    client.post(path, {"username": "stolen", "is_superuser": "on", **inline})
    grace.refresh_from_db()
    assert (grace.username, grace.is_superuser) == ("grace", False)
    assert grace.memberships.get().role == "manager"
    password = client.get(f"/admin/workspaces/user/{grace.pk}/password/")
    assert password.status_code == 403


def test_an_owner_cannot_give_roles_in_a_workspace_they_do_not_own(acme, rival, ada) -> None:
    Membership.objects.create(workspace=rival, user=ada, role="manager")
    client = signed_in(ada)
    client.post(
        page("workspaces_user_change", ada.pk),
        {
            "memberships-TOTAL_FORMS": 1,
            "memberships-INITIAL_FORMS": 0,
            "memberships-0-user": ada.pk,
            "memberships-0-workspace": rival.pk,
            "memberships-0-role": "owner",
        },
    )
    assert Membership.objects.get(workspace=rival, user=ada).role == "manager"


def rubric(queue_id="", rows=(), **harvest_fields) -> dict:
    form = {"rubric_items-TOTAL_FORMS": len(rows), "rubric_items-INITIAL_FORMS": 0}
    for place, row in enumerate(rows):
        form |= {f"rubric_items-{place}-{name}": value for name, value in row.items()}
    form |= {"harvest-TOTAL_FORMS": 1 if harvest_fields else 0, "harvest-INITIAL_FORMS": 0}
    return form | {f"harvest-0-{name}": value for name, value in harvest_fields.items()}


QUESTION = {
    "position": 0,
    "feedback_key": "correct",
    "kind": "boolean",
    "level": "nominal",
    "categories": "[]",
    "is_required": "on",
}


def queue_form(acme, **fields) -> dict:
    return {
        "workspace": acme.pk,
        "name": "Refunds",
        "queue_type": "single",
        "reviewers_per_item": 2,
        "access": "any",
        "reservation_minutes": 10,
        "is_reserving": "on",
        "is_blind": "on",
        **fields,
    }


def test_a_queue_is_made_with_its_rubric_and_its_dataset(acme, ada) -> None:
    dataset = DatasetFactory(workspace=acme)
    answer = signed_in(ada).post(
        page("annotations_annotationqueue_add"),
        queue_form(acme, **rubric(rows=[QUESTION], dataset=dataset.pk, is_enabled="on")),
    )
    assert answer.status_code == 302, answer.context["errors"]
    queue = AnnotationQueue.objects.get()
    assert RubricItem.objects.get(queue=queue).feedback_key == "correct"
    assert RubricVersion.objects.get(queue=queue).version == 1
    assert Harvest.objects.get(queue=queue).dataset == dataset


WHEN_WRONG = '{"join": "all", "rules": [{"key": "correct", "op": "is", "values": [0]}]}'


def test_conditions_patterns_and_assertions_are_edited_beside_the_question(acme, ada) -> None:
    why = {**QUESTION, "position": 1, "feedback_key": "why", "kind": "freeform", "level": "text"}
    why |= {"visible_if": WHEN_WRONG, "required_if": WHEN_WRONG, "regex_validator": "^[A-Z]"}
    client, add = signed_in(ada), page("annotations_annotationqueue_add")
    rows = [{**QUESTION, "is_assertion": "on"}, why]
    answer = client.post(add, queue_form(acme, **rubric(rows=rows)))
    assert answer.status_code == 302, answer.context["errors"]
    correct, asked = RubricItem.objects.order_by("position")
    assert correct.extra == {"is_assertion": True}
    assert asked.extra == {
        "visible_if": json.loads(WHEN_WRONG),
        "required_if": json.loads(WHEN_WRONG),
        "regex_validator": "^[A-Z]",
    }
    shown = client.get(page("annotations_annotationqueue_change", correct.queue_id))
    assert "is_one_of" not in shown.content.decode()
    assert "&quot;key&quot;: &quot;correct&quot;" in shown.content.decode()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"visible_if": "[]"}, "must be an object"),
        ({"visible_if": WHEN_WRONG.replace("correct", "nobody")}, "no question of the rubric"),
        ({"required_if": WHEN_WRONG.replace("all", "xor")}, "must be all or any"),
        ({"regex_validator": "^a"}, "only a freeform question"),
    ],
)
def test_a_condition_that_says_nothing_is_refused_by_field(acme, ada, wrong, words) -> None:
    rows = [QUESTION, {**QUESTION, "position": 1, "feedback_key": "polite", **wrong}]
    answer = signed_in(ada).post(
        page("annotations_annotationqueue_add"), queue_form(acme, **rubric(rows=rows))
    )
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not AnnotationQueue.objects.exists()


def test_a_pairwise_queue_is_made_in_the_admin_and_takes_no_rules(acme, ada) -> None:
    answer = signed_in(ada).post(
        page("annotations_annotationqueue_add"), queue_form(acme, queue_type="pairwise", **rubric())
    )
    assert answer.status_code == 302, answer.context["errors"]
    queue = AnnotationQueue.objects.get()
    assert queue.rubric_items.get().feedback_key == "preference"
    with pytest.raises(ValueError, match="not by rules"):
        presets.install_presets(acme, queue, now=NOON)


def test_another_rubric_is_a_version_and_another_number_of_reviewers_moves_the_seats(
    acme, ada, grace
) -> None:
    queue = queues.create_queue(
        acme, "Refunds", now=NOON, rubric=[{"feedback_key": "correct"}], reviewers_per_item=2
    )
    item = queues.add_runs(queue, [uuid4()], source="api", now=NOON)[0]
    client, path = signed_in(ada), page("annotations_annotationqueue_change", queue.pk)
    same = {
        "rubric_items-TOTAL_FORMS": 1,
        "rubric_items-INITIAL_FORMS": 1,
        "rubric_items-0-id": queue.rubric_items.get().pk,
        "rubric_items-0-queue": queue.pk,
        **{f"rubric_items-0-{name}": value for name, value in QUESTION.items()},
        "harvest-TOTAL_FORMS": 0,
        "harvest-INITIAL_FORMS": 0,
    }
    answer = client.post(
        path, queue_form(acme, assigned_reviewers=[grace.pk], reviewers_per_item=3, **same)
    )
    assert answer.status_code == 302, answer.context["errors"]
    queue.refresh_from_db()
    assert (queue.rubric_version, queue.reviewers_per_item) == (2, 3)
    assert item.seats.count() == 3
    assert list(queue.assigned_reviewers.all()) == [grace]
    client.post(path, queue_form(acme, assigned_reviewers=[grace.pk], reviewers_per_item=3, **same))
    queue.refresh_from_db()
    assert queue.rubric_version == 2


def test_a_stranger_cannot_be_assigned_nor_anothers_dataset_filled(
    acme, rival, ada, mallory
) -> None:
    operator = UserFactory(username="root", is_superuser=True, is_staff=True)
    client = signed_in(operator)
    answer = client.post(
        page("annotations_annotationqueue_add"),
        queue_form(acme, assigned_reviewers=[mallory.pk], **rubric()),
    )
    assert "Not in Acme: mallory" in answer.content.decode()
    theirs = DatasetFactory(workspace=rival)
    answer = client.post(
        page("annotations_annotationqueue_add"),
        queue_form(acme, **rubric(dataset=theirs.pk, is_enabled="on")),
    )
    assert "not in the queue" in answer.content.decode()
    assert not AnnotationQueue.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "categorical", "categories": '[{"value": 1, "label": "Yes"}]'},
        {"categories": '["yes", "no"]'},
        {"kind": "continuous", "minimum": 5, "maximum": 1},
    ],
)
def test_a_question_nobody_could_answer_is_refused(acme, ada, wrong) -> None:
    answer = signed_in(ada).post(
        page("annotations_annotationqueue_add"),
        queue_form(acme, **rubric(rows=[{**QUESTION, **wrong}])),
    )
    assert answer.status_code == 200
    assert not AnnotationQueue.objects.exists()


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


def test_a_rule_that_cannot_be_read_is_refused_with_the_place(acme, ada) -> None:
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
    assert "metadata.confidence 63 &lt; 70" in text
    assert "grace until" in text
    for action, expected in (("release", "open"), ("remove", "removed"), ("requeue", "open")):
        client.post(listing, {"action": action, "_selected_action": [item.pk]})
        item.refresh_from_db()
        assert item.state == expected
        assert not Seat.objects.filter(item=item, reviewer__isnull=False).exists()


def test_answers_given_blind_are_not_shown_before_ones_own(acme, ada, grace) -> None:
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
        extra={"review": str(review.uuid)},
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


def test_a_reviewer_with_a_staff_mark_is_still_no_manager(acme, grace) -> None:
    grace.is_staff = True
    grace.save()
    assert (
        signed_in(grace).get(page("annotations_review_changelist"), follow=True).status_code == 403
    )


def test_a_manager_does_not_manage_members(acme) -> None:
    manager = member(acme, "morgan", "manager")
    client = signed_in(manager)
    assert client.get(page("workspaces_user_changelist")).status_code == 200
    assert client.get(page("workspaces_user_add")).status_code == 403
    assert (
        client.post(page("workspaces_workspace_change", acme.pk), {"name": "x"}).status_code == 403
    )
