"""Every template of the pages is rendered by these visits: none is dead, none is untested."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.template import Template
from django.template.autoreload import reset_loaders
from django.test import Client
from django.test.signals import template_rendered
from django.utils import timezone

from datasets_app import sharing as dataset_sharing
from observatory.api import reference
from observatory.prompts.models import PromptRepo
from observatory.runs import sharing as run_sharing
from observatory.runs import thread_sharing
from tests import kinds, scenes
from tests.factories import ProjectFactory
from tests.scenes import submission
from tests.web.test_pages import pages

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parent.parent / "templates"
PART = {"HX-Request": "true"}
STANDALONE = {"500.html", "503.html"}  # for when nothing else works


def test_every_template_is_rendered(acme, rival, ada, grace, mallory) -> None:
    names: set[str] = set()

    def note(template: Template, **_: object) -> None:
        if template.name:
            names.add(template.name)

    reset_loaders()  # what `{% kept %}` has drawn for an earlier test is drawn anew
    template_rendered.connect(note)
    try:
        _visit(acme, ada, grace, mallory)
    finally:
        template_rendered.disconnect(note)
    ours = {
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.html")
        if "admin" not in path.relative_to(ROOT).parts
    }
    assert ours - names - STANDALONE == set()


def _visit(acme, ada, grace, mallory) -> None:
    client = Client()
    client.get("/accounts/login/")
    reference._operations.cache_clear()
    client.get("/docs")
    Client(enforce_csrf_checks=True).post("/accounts/login/")
    client.force_login(mallory)
    client.get("/w/rival/")
    mallory.memberships.all().delete()
    client.get("/")
    client.get("/w/acme/")
    scene = scenes.build(acme, timezone.now(), n_items=2)
    client.force_login(grace)
    client.get("/w/acme/settings/keys/")
    review = pages(scene)["review"]
    item = client.get(review).context["item"]
    base = f"/w/acme/queues/{scene.queue.uuid}"
    client.post(
        f"{base}/items/{item.uuid}/submit", submission(scene.queue), headers={"X-Obs-Fetch": "1"}
    )
    item = client.get(review).context["item"]
    client.post(
        f"{base}/items/{item.uuid}/diff",
        submission(scene.queue, correction="x"),
        headers={"X-Obs-Fetch": "1"},
    )
    client.post(f"{base}/items/{item.uuid}/submit", submission(scene.queue))
    client.get(review)
    client.force_login(ada)
    for address in pages(scene).values():
        client.get(address)
    client.get(f"{pages(scene)['run']}?tab=feedback")
    for queue in (
        kinds.pairs(acme, timezone.now(), [("yes", "no")])[0].queue,
        kinds.thread(acme, timezone.now(), scenes.RUBRIC),
    ):
        client.get(f"/w/acme/queues/{queue.uuid}/review/")
    prompt = PromptRepo.objects.create(workspace=acme, handle="greeter")
    client.get(f"/w/acme/prompts/{prompt.handle}/")
    share = run_sharing.share(acme, scene.runs[0].id)
    client.get(f"/public/{share.token}/r")
    scenes.make_run(acme, scene.project, timezone.now(), metadata={"thread_id": "t"})
    thread = thread_sharing.share(scene.project, "t")
    client.get(f"/public/{thread.token}/t")
    client.get(f"/public/{dataset_sharing.share(scene.dataset).token}/d")
    for name in ("before", "after"):
        ProjectFactory(workspace=acme, name=name, reference_dataset_id=scene.dataset.uuid)
    client.get(f"/w/acme/datasets/{scene.dataset.uuid}/compare/")
    for _ in range(60):
        scenes.make_run(acme, scene.project, timezone.now())
    first = client.get(pages(scene)["runs"])
    client.get(f"{pages(scene)['runs']}?{first.context['next_query']}&more=1", headers=PART)


def test_the_page_of_a_server_error_needs_nothing_to_work() -> None:
    text = (ROOT / "500.html").read_text()
    assert "{%" not in text
    assert "{{" not in text
    assert "<h1" in text
