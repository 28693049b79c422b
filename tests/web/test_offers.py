"""A page offers no link or form that the user's role is refused: each one is tried."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from annotations.models import AnnotationQueue
from tests.factories import member
from tests.web.test_pages import NAMES, pages

pytestmark = pytest.mark.django_db
LINK = re.compile(r'\b(?:href|hx-get)="(/[^"]*)"')
FORM = re.compile(r'\b(?:action|formaction)="(/[^"]*)"')


@pytest.mark.parametrize("access", AnnotationQueue.Access.values)
@pytest.mark.parametrize("role", ["viewer", "reviewer", "manager", "owner"])
def test_every_link_and_form_of_a_page_is_permitted(role, access, scene, acme, grace) -> None:
    person = member(acme, f"the-{role}", role)
    scene.answer(grace, scene.items[0], 2, timezone.now())
    AnnotationQueue.objects.update(access=access)
    client = Client()
    client.force_login(person)
    offered: dict[tuple[str, str], str] = {}
    for name in NAMES:
        page = client.get(pages(scene)[name])
        if page.status_code != 200:
            assert name not in {"home", "projects", "queues", "datasets", "settings"}
            continue
        text = page.content.decode()
        for send, pattern in (("get", LINK), ("post", FORM)):
            for address in pattern.findall(text):
                offered.setdefault((send, unescape(address)), name)
    assert len(offered) > 20
    refused = []
    for (send, address), name in offered.items():
        client.force_login(person)  # one of the forms signs out
        with transaction.atomic():
            status = getattr(client, send)(address).status_code
            transaction.set_rollback(True)
        if status in {401, 403} or status >= 500:
            refused.append(f"{name} offers {send} {address}: {status}")
    assert refused == []
