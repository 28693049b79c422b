"""Keys and people in the admin: shown once, no more rights given than one has."""

from __future__ import annotations

import re

from django.utils import timezone

from observatory.workspaces import keys
from observatory.workspaces.models import ApiKey, Membership, User
from tests.admin.console import page, signed_in


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
