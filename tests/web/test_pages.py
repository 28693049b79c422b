"""Each page whole and as the part htmx asks for, to those who may see it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


def pages(scene) -> dict[str, str]:
    base, queue, item = f"/w/{scene.workspace.slug}", scene.queue.uuid, scene.items[0].uuid
    return {
        "home": f"{base}/",
        "projects": f"{base}/projects/",
        "runs": f"{base}/projects/{scene.project.uuid}/",
        "run": f"{base}/runs/{scene.runs[0].id}/",
        "queues": f"{base}/queues/",
        "queue": f"{base}/queues/{queue}/",
        "agreement": f"{base}/queues/{queue}/agreement/",
        "judges": f"{base}/queues/{queue}/judges/",
        "quality": f"{base}/queues/{queue}/quality/",
        "item": f"{base}/queues/{queue}/items/{item}/",
        "review": f"{base}/queues/{queue}/review/",
        "datasets": f"{base}/datasets/",
        "dataset": f"{base}/datasets/{scene.dataset.uuid}/",
        "compare": f"{base}/datasets/{scene.dataset.uuid}/compare/",
        "prompts": f"{base}/prompts/",
        "prompt": f"{base}/prompts/support-answer/",
        "trends": f"{base}/trends/",
        "settings": f"{base}/settings/",
        "taxonomies": f"{base}/settings/feedback/",
        "keys": f"{base}/settings/keys/",
        "security": f"{base}/settings/security/",
    }


NAMES = [
    "home",
    "projects",
    "runs",
    "run",
    "queues",
    "queue",
    "agreement",
    "judges",
    "quality",
    "item",
    "review",
    "datasets",
    "dataset",
    "compare",
    "prompts",
    "prompt",
    "trends",
    "settings",
    "taxonomies",
    "keys",
    "security",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_comes_whole_and_as_a_part(
    name, scene, ada, as_user, django_assert_max_num_queries
) -> None:
    address = pages(scene)[name]
    client = as_user(ada)
    with django_assert_max_num_queries(40):
        whole = client.get(address)
    assert whole.status_code == 200
    text = whole.content.decode()
    assert text.count("<h1") == 1
    assert '<main id="main"' in text
    assert 'class="skip"' in text
    assert "HX-Request" in whole["Vary"]
    assert "private" in whole["Cache-Control"]
    part = client.get(address, headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.content.decode()
    again = client.get(
        address, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}
    )
    assert "<html" in again.content.decode()
