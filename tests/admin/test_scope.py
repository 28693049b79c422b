"""The admin shows and takes what the role and the workspace allow, flat in queries."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from observatory.workspaces.models import Membership
from tests.admin.console import CANARY, furnish, page, signed_in
from tests.factories import (
    member,
)

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
    "gold": "annotations_goldanswer",
    "drift": "annotations_driftalarm",
    "dataset": "datasets_dataset",
    "version": "datasets_datasetversion",
    "example": "datasets_example",
    "export": "datasets_trainingexport",
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
