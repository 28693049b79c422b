from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from tests import scenes


@pytest.fixture
def scene(acme):
    return scenes.build(acme, timezone.now())


@pytest.fixture
def as_user():
    """A signed-in client: `as_user(ada).get("/w/acme/")`."""

    def sign_in(user) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in
