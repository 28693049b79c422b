"""S3: a new installation has one account, whose password is random."""

from __future__ import annotations

import pytest

from observatory.console import first_start
from observatory.workspaces.models import ApiKey, User


@pytest.mark.django_db
def test_s3_two_installations_never_share_a_password_or_a_key(db) -> None:
    first = first_start.prepare()
    assert first is not None
    assert User.objects.get().check_password(first.password)
    assert len(first.password) >= 20
    User.objects.all().delete()
    ApiKey.objects.get().workspace.delete()
    second = first_start.prepare()
    assert second is not None
    assert second.password != first.password
    assert second.api_key != first.api_key


@pytest.mark.django_db
def test_s3_nothing_is_created_where_a_user_exists(ada) -> None:
    assert first_start.prepare() is None
    assert list(User.objects.values_list("username", flat=True)) == ["ada"]
