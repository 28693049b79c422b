"""Resource tags are not kept here: what would set one is refused, and nothing has one."""

from __future__ import annotations

from uuid import uuid4

import pytest

from annotations.models import AnnotationQueue
from observatory.prompts.models import PromptRepo
from observatory.runs.models import Project
from tests.factories import AnnotationQueueFactory, ProjectFactory

pytestmark = pytest.mark.django_db
TAGS = {"tag_value_ids": [str(uuid4())]}


@pytest.fixture
def there(acme):
    return {
        "session": ProjectFactory(workspace=acme).uuid,
        "queue": AnnotationQueueFactory(workspace=acme).uuid,
        "repo": PromptRepo.objects.create(workspace=acme, handle="p").handle,
    }


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/sessions", {"name": "new"}),
        ("PATCH", "/sessions/{session}", {"name": "new"}),
        ("POST", "/api/v2/sessions", {"name": "new", "type": "PROJECT"}),
        ("PATCH", "/api/v2/sessions/{session}", {"name": "new"}),
        ("POST", "/annotation-queues", {"name": "new"}),
        ("PATCH", "/annotation-queues/{queue}", {"name": "new"}),
        ("POST", "/repos", {"repo_handle": "new"}),
        ("PATCH", "/repos/-/{repo}", {"description": "new"}),
    ],
)
def test_a_resource_tag_is_refused_by_name_and_nothing_is_written(
    api, there, method, path, body
) -> None:
    answer = api.send(method, path.format(**there), body | TAGS)
    assert answer.status_code == 422, answer.content
    assert answer.json()["detail"].startswith("tag_value_ids: ")
    for model in (Project, AnnotationQueue):
        assert not model.objects.filter(name="new").exists()
    assert not PromptRepo.objects.filter(description="new").exists()
    assert not PromptRepo.objects.filter(handle="new").exists()
    without = api.send(method, path.format(**there), body | {"tag_value_ids": []})
    assert without.status_code == 200, without.content


@pytest.mark.parametrize("path", ["/sessions", "/api/v2/sessions", "/annotation-queues", "/repos"])
def test_nothing_has_a_resource_tag(api, there, path) -> None:
    answer = api.get(path, tag_value_id=str(uuid4()))
    assert answer.status_code == 200, answer.content
    found = answer.json()
    assert (found if isinstance(found, list) else found.get("repos", found.get("items"))) == []
