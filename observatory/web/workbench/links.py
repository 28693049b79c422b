"""The URLs of a queue's workbench and of its items' actions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from uuid import UUID

from django.urls import reverse

PLACEHOLDER_ITEM = "00000000-0000-0000-0000-000000000000"
_OF_QUEUE = {"next": "review-next", "review": "review", "queue": "queue-detail"}
_OF_ITEM = ("context", "draft", "heartbeat", "release", "skip", "requeue", "submit", "diff", "back")


@lru_cache(maxsize=1024)
def links_of(slug: str, queue_uuid: UUID) -> Mapping[str, str]:
    """Return the URLs of a queue's workbench by name; item URLs have a placeholder for the item.

    Resolving the ten of a page takes longer than rendering the page's parts.
    """
    urls = {name: reverse(view, args=[slug, queue_uuid]) for name, view in _OF_QUEUE.items()}
    urls["item"] = reverse("item-detail", args=[slug, queue_uuid, PLACEHOLDER_ITEM])
    urls["undo"] = reverse("review-undo", args=[slug, queue_uuid, PLACEHOLDER_ITEM])
    for name in _OF_ITEM:
        urls[name] = reverse(f"review-{name}", args=[slug, queue_uuid, PLACEHOLDER_ITEM])
    return MappingProxyType(urls)


def item_links(slug: str, queue_uuid: UUID, item_uuid: UUID) -> dict[str, str]:
    """Return the URLs of an item's actions, by name."""
    links, key = links_of(slug, queue_uuid), str(item_uuid)
    addresses = {name: links[name].replace(PLACEHOLDER_ITEM, key) for name in _OF_ITEM}
    addresses["open"] = f"{links['review']}?item={key}"
    return addresses
