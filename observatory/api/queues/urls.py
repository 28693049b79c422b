"""The URLs of this wing; see observatory/api/urls.py."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from observatory.api.kit.paths import at
from observatory.api.queues import agreement, experiments, export, items, quality, queues, runs

QUEUE = "(?P<queue_id>[^/]+)"

v1: list[URLPattern | URLResolver] = [
    at("annotation-queues", queues.AnnotationQueues, "queues"),
    at("annotation-queues/populate", experiments.QueuePopulate, "queue-populate"),
    at(f"annotation-queues/{QUEUE}", queues.AnnotationQueueDetail, "queue"),
    at(f"annotation-queues/{QUEUE}/runs", runs.AnnotationQueueRuns, "queue-runs"),
    at(
        f"annotation-queues/{QUEUE}/runs/by-key",
        runs.AnnotationQueueRunsByKey,
        "queue-runs-by-key",
    ),
    at(
        f"annotation-queues/{QUEUE}/runs/delete",
        runs.AnnotationQueueRunsDelete,
        "queue-runs-delete",
    ),
    at(
        f"annotation-queues/{QUEUE}/runs/(?P<run_or_item>[^/]+)",
        runs.AnnotationQueueRun,
        "queue-run",
    ),
    at(
        f"annotation-queues/{QUEUE}/run/(?P<index>[^/]+)",
        runs.AnnotationQueueRunAt,
        "queue-run-at",
    ),
    at(
        f"annotation-queues/{QUEUE}/(?P<which>size|total_size|total_archived)",
        runs.AnnotationQueueSize,
        "queue-size",
    ),
    at(
        f"annotation-queues/{QUEUE}/agreement",
        agreement.QueueAgreement,
        "queue-agreement",
    ),
    at(f"annotation-queues/{QUEUE}/quality", quality.QueueQuality, "queue-quality"),
    at(
        f"annotation-queues/{QUEUE}/export",
        export.AnnotationQueueExport,
        "queue-export",
    ),
    at(
        "annotation-queues/status/(?P<item_id>[^/]+)",
        items.QueueItemStatus,
        "queue-run-status",
    ),
    at(
        "annotation-queues/(?P<run_id>[^/]+)/queues",
        runs.QueuesOfRun,
        "queues-of-run",
    ),
]

platform: list[URLPattern | URLResolver] = [
    at(
        "annotation-queues/items/(?P<item_id>[^/]+)/status",
        items.QueueItemStatus,
        "queue-item-status",
    ),
    at(f"annotation-queues/{QUEUE}/items", items.QueueItems, "queue-items"),
    at(
        f"annotation-queues/{QUEUE}/items/count",
        items.QueueItemCount,
        "queue-item-count",
    ),
    at(
        f"annotation-queues/{QUEUE}/items/delete",
        items.QueueItemsDelete,
        "queue-items-delete",
    ),
    at(
        f"annotation-queues/{QUEUE}/items/(?P<item_id>[^/]+)",
        items.QueueItemDetail,
        "queue-item",
    ),
    at(
        f"annotation-queues/{QUEUE}/items/(?P<item_id>[^/]+)/finals/(?P<key>[^/]+)",
        items.QueueItemFinal,
        "queue-item-final",
    ),
    at(
        f"annotation-queues/{QUEUE}/items/(?P<item_id>[^/]+)/gold",
        quality.QueueItemGold,
        "queue-item-gold",
    ),
    at(
        f"annotation-queues/{QUEUE}/items/(?P<item_id>[^/]+)/placement",
        items.QueueItemPlacement,
        "queue-item-placement",
    ),
]
