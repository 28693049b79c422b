"""Every route of the pages, read from the URL table, with ids of a scene filled in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from annotations.models import Review
from observatory.prompts import commits
from observatory.prompts.models import PromptRepo
from observatory.workspaces import keys
from observatory.workspaces.models import BrowserSession

NOT_OURS = ("admin/", "^", "api/", "runs", "v1/", "")
MACHINES = {"livez", "readyz", "healthz"}


@dataclass(frozen=True)
class Route:
    name: str
    parameters: tuple[str, ...]
    view: Any

    @property
    def is_in_workspace(self) -> bool:
        return "slug" in self.parameters


def of_pages() -> list[Route]:
    """Return the routes whose view lives in observatory.web, wherever they are mounted."""
    return [
        Route(pattern.name, tuple(parameters), pattern.callback)
        for pattern, parameters in _walk(get_resolver())
        if _module(pattern.callback).startswith("observatory.web")
    ]


def _walk(node: URLResolver, above: tuple[str, ...] = ()) -> Iterator[tuple[URLPattern, list[str]]]:
    for pattern in node.url_patterns:
        names = (*above, *pattern.pattern.converters)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern, names)
        else:
            yield pattern, list(names)


def _module(view: Any) -> str:
    return getattr(view, "__module__", "") or ""


def fill(scene, reviewer) -> dict[str, Any]:
    """Return a value of each URL parameter that names something of `scene`; makes what is missing."""
    review = Review.objects.filter(queue=scene.queue, reviewer=reviewer).first()
    key, _ = keys.mint(scene.workspace, "a key")
    prompt, _ = PromptRepo.objects.get_or_create(
        workspace=scene.workspace, handle=f"p{scene.workspace.pk}"
    )
    commit = commits.latest(prompt) or commits.push(prompt, {"text": "x"}, parent=None)
    session, _ = BrowserSession.objects.get_or_create(
        session_key=f"another browser of {scene.workspace.pk}",
        defaults={"user": reviewer, "expire_date": timezone.now() + timedelta(hours=1)},
    )
    return {
        "slug": scene.workspace.slug,
        "session_uuid": session.uuid,
        "project_uuid": scene.project.uuid,
        "run_id": scene.runs[0].id,
        "field": "inputs",
        "queue_uuid": scene.queue.uuid,
        "item_uuid": scene.items[-1].uuid,
        "review_uuid": review.uuid if review else UUID(int=0),
        "dataset_uuid": scene.dataset.uuid,
        "key_uuid": key.uuid,
        "handle": prompt.handle,
        "commit": commit.commit_hash,
    }


def address(route: Route, values: dict[str, Any]) -> str:
    """Return the route's address. An unknown parameter is a KeyError: add it to `fill`."""
    return reverse(route.name, kwargs={name: values[name] for name in route.parameters})
