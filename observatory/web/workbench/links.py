"""The addresses of a queue's workbench and of what can be done with an item."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from uuid import UUID

from django.urls import reverse

NOBODY = "00000000-0000-0000-0000-000000000000"
_OF_QUEUE = {"next": "review-next", "review": "review", "queue": "queue-detail"}
_OF_ITEM = ("context", "draft", "heartbeat", "release", "skip", "requeue", "submit", "diff", "back")


@lru_cache(maxsize=1024)
def links_of(slug: str, queue_uuid: UUID) -> Mapping[str, str]:
    """Return the addresses of a queue's workbench by name, for an item those of NOBODY.

    The resolver takes longer to make the ten of a page than the page's parts take to render.
    """
    found = {name: reverse(view, args=[slug, queue_uuid]) for name, view in _OF_QUEUE.items()}
    found["item"] = reverse("item-detail", args=[slug, queue_uuid, NOBODY])
    found["undo"] = reverse("review-undo", args=[slug, queue_uuid, NOBODY])
    for name in _OF_ITEM:
        found[name] = reverse(f"review-{name}", args=[slug, queue_uuid, NOBODY])
    return MappingProxyType(found)


def item_links(slug: str, queue_uuid: UUID, item_uuid: UUID) -> dict[str, str]:
    """Return the addresses of what can be done with an item, by name."""
    links, key = links_of(slug, queue_uuid), str(item_uuid)
    addresses = {name: links[name].replace(NOBODY, key) for name in _OF_ITEM}
    addresses["open"] = f"{links['review']}?item={key}"
    return addresses
