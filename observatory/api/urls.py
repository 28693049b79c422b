"""The wire's URL table. Each SDK derives several prefixes from one endpoint: see `mounted`.

Every path answers with and without a trailing slash, without redirecting: a redirect turns
the SDKs' POST into a GET.
"""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, re_path

from observatory.api import (
    adaline_logs,
    annotation_queue_export,
    annotation_queue_items,
    annotation_queue_runs,
    annotation_queues,
    attachments,
    commits,
    dataset_changes,
    dataset_files,
    dataset_uploads,
    datasets,
    errors,
    example_uploads,
    examples,
    experiments,
    feedback,
    feedback_configs,
    feedback_tokens,
    info,
    likes,
    openapi,
    otlp,
    repos,
    run_query,
    run_read,
    run_stats,
    runs,
    sessions,
    shared_datasets,
    shared_runs,
    threads,
)
from observatory.api.paths import UUID, at
from observatory.api.v2.urls import v2

REPO = "(?P<owner>[^/]+)/(?P<repo_handle>[^/]+)"

QUEUE = "(?P<queue_id>[^/]+)"

v1: list[URLPattern | URLResolver] = [
    at("info", info.Info, "info"),
    at("schema", openapi.Schema, "schema"),
    at("docs", openapi.SchemaPage, "docs"),
    at("runs", runs.Runs, "runs"),
    at("runs/batch", runs.RunsBatch, "runs-batch"),
    at("runs/multipart", runs.RunsMultipart, "runs-multipart"),
    at("runs/query", run_query.RunQueries, "run-query"),
    at("runs/stats", run_stats.RunStats, "run-stats"),
    at("runs/group", threads.RunGroups, "run-groups"),
    at("runs/threads/(?P<thread_id>.+)", threads.ThreadPreview, "thread-preview"),
    at(f"runs/(?P<run_id>{UUID})", run_read.RunDetail, "run-detail"),
    at(f"runs/(?P<run_id>{UUID})/share", shared_runs.RunSharing, "run-share"),
    at("sessions", sessions.Sessions, "sessions"),
    at("sessions/resolutions", sessions.SessionResolution, "session-resolution"),
    at("sessions/(?P<session_id>[^/]+)", sessions.SessionDetail, "session"),
    at("otel/v1/traces", otlp.Traces, "otlp-traces"),
    at("attachments/(?P<token>[A-Za-z0-9_:-]+)", attachments.SignedAttachment, "attachment"),
    at(
        "example-attachments/(?P<token>[A-Za-z0-9_:.-]+)",
        attachments.SignedExampleFile,
        "example-attachment",
    ),
    at("feedback", feedback.FeedbackCollection, "feedback"),
    at("feedback/batch", feedback.FeedbackBatch, "feedback-batch"),
    at("feedback/tokens", feedback_tokens.FeedbackTokens, "feedback-tokens"),
    at("feedback/tokens/(?P<token>[^/]+)", feedback_tokens.FeedbackToken, "feedback-token"),
    at("feedback/(?P<feedback_id>[^/]+)", feedback.FeedbackDetail, "feedback-detail"),
    at("feedback-configs", feedback_configs.FeedbackConfigs, "feedback-configs"),
    at("annotation-queues", annotation_queues.AnnotationQueues, "queues"),
    at("annotation-queues/populate", annotation_queue_items.QueuePopulate, "queue-populate"),
    at(f"annotation-queues/{QUEUE}", annotation_queues.AnnotationQueueDetail, "queue"),
    at(f"annotation-queues/{QUEUE}/runs", annotation_queue_runs.AnnotationQueueRuns, "queue-runs"),
    at(
        f"annotation-queues/{QUEUE}/runs/by-key",
        annotation_queue_runs.AnnotationQueueRunsByKey,
        "queue-runs-by-key",
    ),
    at(
        f"annotation-queues/{QUEUE}/runs/delete",
        annotation_queue_runs.AnnotationQueueRunsDelete,
        "queue-runs-delete",
    ),
    at(
        f"annotation-queues/{QUEUE}/runs/(?P<run_or_item>[^/]+)",
        annotation_queue_runs.AnnotationQueueRun,
        "queue-run",
    ),
    at(
        f"annotation-queues/{QUEUE}/run/(?P<index>[^/]+)",
        annotation_queue_runs.AnnotationQueueRunAt,
        "queue-run-at",
    ),
    at(
        f"annotation-queues/{QUEUE}/(?P<which>size|total_size|total_archived)",
        annotation_queue_runs.AnnotationQueueSize,
        "queue-size",
    ),
    at(
        f"annotation-queues/{QUEUE}/export",
        annotation_queue_export.AnnotationQueueExport,
        "queue-export",
    ),
    at(
        "annotation-queues/status/(?P<item_id>[^/]+)",
        annotation_queue_items.QueueItemStatus,
        "queue-run-status",
    ),
    at(
        "annotation-queues/(?P<run_id>[^/]+)/queues",
        annotation_queue_runs.QueuesOfRun,
        "queues-of-run",
    ),
    at("datasets", datasets.Datasets, "datasets"),
    at("datasets/upload", dataset_uploads.DatasetUpload, "dataset-upload"),
    at("datasets/clone", dataset_files.DatasetClone, "dataset-clone"),
    at("datasets/comparative", experiments.Comparisons, "comparisons"),
    at(
        "datasets/comparative/(?P<comparison_id>[^/]+)",
        experiments.ComparisonDetail,
        "comparison-detail",
    ),
    at("datasets/(?P<dataset_id>[^/]+)", dataset_changes.DatasetDetail, "dataset-detail"),
    at("datasets/(?P<dataset_id>[^/]+)/index", dataset_changes.DatasetIndex, "dataset-index"),
    at("datasets/(?P<dataset_id>[^/]+)/index/sync", dataset_changes.DatasetIndex, "dataset-sync"),
    at("datasets/(?P<dataset_id>[^/]+)/search", dataset_changes.DatasetIndex, "dataset-search"),
    at("datasets/(?P<dataset_id>[^/]+)/runs", experiments.DatasetRuns, "dataset-runs"),
    at(
        "datasets/(?P<dataset_id>[^/]+)/comparative",
        experiments.DatasetComparisons,
        "dataset-comparisons",
    ),
    at("datasets/(?P<dataset_id>[^/]+)/versions", datasets.DatasetVersions, "dataset-versions"),
    at("datasets/(?P<dataset_id>[^/]+)/versions/diff", datasets.DatasetDiff, "dataset-diff"),
    at("datasets/(?P<dataset_id>[^/]+)/version", datasets.DatasetVersionAt, "dataset-version"),
    at("datasets/(?P<dataset_id>[^/]+)/tags", datasets.DatasetTags, "dataset-tags"),
    at("datasets/(?P<dataset_id>[^/]+)/splits", datasets.DatasetSplits, "dataset-splits"),
    at("datasets/(?P<dataset_id>[^/]+)/share", shared_datasets.DatasetSharing, "dataset-share"),
    at(
        "datasets/(?P<dataset_id>[^/]+)/(?P<form>csv|jsonl|openai|openai_ft)",
        dataset_files.DatasetFile,
        "dataset-file",
    ),
    at(f"public/(?P<token>{UUID})/run", shared_runs.SharedRun, "shared-run"),
    at(f"public/(?P<token>{UUID})/run/(?P<run_id>{UUID})", shared_runs.SharedRun, "shared-run-of"),
    at(f"public/(?P<token>{UUID})/runs", shared_runs.SharedRuns, "shared-runs"),
    # listSharedRuns of the JavaScript SDK leaves out the question mark.
    at(
        f"public/(?P<token>{UUID})/runs(?P<rest>share_token=[^/]+)",
        shared_runs.SharedRuns,
        "shared-runs-without-question-mark",
    ),
    at(f"public/(?P<token>{UUID})/runs/query", shared_runs.SharedRunQueries, "shared-run-query"),
    at(f"public/(?P<token>{UUID})/feedbacks", shared_runs.SharedFeedback, "shared-feedback"),
    at(f"public/(?P<token>{UUID})/datasets", shared_datasets.SharedDataset, "shared-dataset"),
    at(f"public/(?P<token>{UUID})/examples", shared_datasets.SharedExamples, "shared-examples"),
    at(
        f"public/(?P<token>{UUID})/examples/count",
        shared_datasets.SharedExampleCount,
        "shared-example-count",
    ),
    at(
        f"public/(?P<token>{UUID})/datasets/sessions",
        shared_datasets.SharedSessions,
        "shared-sessions",
    ),
    at(
        f"public/(?P<token>{UUID})/datasets/comparative",
        shared_datasets.SharedComparisons,
        "shared-comparisons",
    ),
    at(
        f"public/(?P<token>{UUID})/datasets/feedback",
        shared_datasets.SharedFeedback,
        "shared-dataset-feedback",
    ),
    at(
        "public/datasets/sessions-bulk",
        shared_datasets.SharedSessionsBulk,
        "shared-sessions-bulk",
    ),
    at(
        r"public/schemas/v1/(?P<name>message|tooldef)\.json",
        shared_datasets.PrebuiltSchema,
        "prebuilt-schema",
    ),
    at("examples", examples.Examples, "examples"),
    at("examples/validate(?:/(?P<bulk>bulk))?", examples.ExampleValidation, "example-validation"),
    at("examples/upload/(?P<dataset_id>[^/]+)", dataset_uploads.ExampleUpload, "example-upload"),
    at("examples/bulk", examples.ExampleBulk, "example-bulk"),
    at("examples/count", examples.ExampleCount, "example-count"),
    at("examples/(?P<example_id>[^/]+)", examples.ExampleDetail, "example-detail"),
    at("settings", repos.Settings, "settings"),
    at("repos", repos.Repos, "repos"),
    at(f"repos/{REPO}", repos.RepoDetail, "repo"),
    at(f"repos/{REPO}/tags", repos.RepoTags, "repo-tags"),
    at(f"commits/{REPO}", commits.Commits, "commits"),
    at(f"commits/{REPO}/(?P<commit>[^/]+)", commits.CommitDetail, "commit"),
    at(f"likes/{REPO}", likes.Likes, "likes"),
]
platform: list[URLPattern | URLResolver] = [
    at(
        "annotation-queues/items/(?P<item_id>[^/]+)/status",
        annotation_queue_items.QueueItemStatus,
        "queue-item-status",
    ),
    at(f"annotation-queues/{QUEUE}/items", annotation_queue_items.QueueItems, "queue-items"),
    at(
        f"annotation-queues/{QUEUE}/items/count",
        annotation_queue_items.QueueItemCount,
        "queue-item-count",
    ),
    at(
        f"annotation-queues/{QUEUE}/items/delete",
        annotation_queue_items.QueueItemsDelete,
        "queue-items-delete",
    ),
    at(
        f"annotation-queues/{QUEUE}/items/(?P<item_id>[^/]+)",
        annotation_queue_items.QueueItemDetail,
        "queue-item",
    ),
    at(
        f"annotation-queues/{QUEUE}/items/(?P<item_id>[^/]+)/finals/(?P<key>[^/]+)",
        annotation_queue_items.QueueItemFinal,
        "queue-item-final",
    ),
    at(
        f"annotation-queues/{QUEUE}/items/(?P<item_id>[^/]+)/placement",
        annotation_queue_items.QueueItemPlacement,
        "queue-item-placement",
    ),
    at("datasets/examples/delete", examples.ExamplesErase, "examples-erase"),
    at("datasets/(?P<dataset_id>[^/]+)/examples", example_uploads.DatasetExamples, "examples"),
    at(
        "datasets/(?P<dataset_id>[^/]+)/examples/metadata",
        dataset_changes.DatasetExampleMetadata,
        "dataset-example-metadata",
    ),
    at(
        "datasets/(?P<dataset_id>[^/]+)/examples/(?P<example_id>[^/]+)",
        dataset_changes.DatasetExample,
        "dataset-example",
    ),
    at("examples/multipart", example_uploads.ExamplesUpsert, "examples-upsert"),
]

adaline: list[URLPattern | URLResolver] = [
    at("logs", adaline_logs.LogList, "logs"),
    at("logs/trace", adaline_logs.LogTraces, "log-trace"),
    at("logs/update-log", adaline_logs.LogTraceUpdate, "log-update"),
    at("logs/span", adaline_logs.LogSpans, "log-span"),
    at("logs/traces", adaline_logs.LogTraceSearch, "log-trace-search"),
    at("logs/spans", adaline_logs.LogSpanSearch, "log-span-search"),
]


def mounted() -> list[URLPattern | URLResolver]:
    """Return v1 and platform under the prefixes that E = host, host/api and host/api/v1 give.

    Adaline's log API is beside them under its own: its clients are given E/v2. The generated
    clients know one prefix of v2, whatever E is.
    """
    table: list[URLPattern | URLResolver] = [
        re_path("^api/v2/", include((v2, "v2"), namespace="v2"))
    ]
    for number, prefix in enumerate(["", "api/", "api/v1/"]):
        table.append(re_path(f"^{prefix}", include((v1, "v1"), namespace=f"v1-{number}")))
    for number, prefix in enumerate(
        ["v1/platform/", "api/v1/platform/", "api/v1/v1/platform/", "platform/", "api/platform/"]
    ):
        table.append(
            re_path(f"^{prefix}", include((platform, "platform"), namespace=f"platform-{number}"))
        )
    for number, prefix in enumerate(["v2/", "api/v2/"]):
        table.append(
            re_path(f"^{prefix}", include((adaline, "adaline"), namespace=f"adaline-{number}"))
        )
    return table


urlpatterns = [*mounted(), re_path(r"^(?:api|v1)/", errors.not_found)]
