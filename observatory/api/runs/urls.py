"""The URLs of this wing; see observatory/api/urls.py."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from observatory.api.kit.paths import UUID, at
from observatory.api.runs import attachments, ingest, otlp, query, read, sharing, stats, threads

v1: list[URLPattern | URLResolver] = [
    at("runs", ingest.Runs, "runs"),
    at("runs/batch", ingest.RunsBatch, "runs-batch"),
    at("runs/multipart", ingest.RunsMultipart, "runs-multipart"),
    at("runs/query", query.RunQueries, "run-query"),
    at("runs/stats", stats.RunStats, "run-stats"),
    at("runs/group", threads.RunGroups, "run-groups"),
    at("runs/threads/(?P<thread_id>.+)", threads.ThreadPreview, "thread-preview"),
    at(f"runs/(?P<run_id>{UUID})", read.RunDetail, "run-detail"),
    at(f"runs/(?P<run_id>{UUID})/share", sharing.RunSharing, "run-share"),
    at("otel/v1/traces", otlp.Traces, "otlp-traces"),
    at("attachments/(?P<token>[A-Za-z0-9_:-]+)", attachments.SignedAttachment, "attachment"),
    at(f"public/(?P<token>{UUID})/run", sharing.SharedRun, "shared-run"),
    at(f"public/(?P<token>{UUID})/run/(?P<run_id>{UUID})", sharing.SharedRun, "shared-run-of"),
    at(f"public/(?P<token>{UUID})/runs", sharing.SharedRuns, "shared-runs"),
    # listSharedRuns of the JavaScript SDK leaves out the question mark.
    at(
        f"public/(?P<token>{UUID})/runs(?P<rest>share_token=[^/]+)",
        sharing.SharedRuns,
        "shared-runs-without-question-mark",
    ),
    at(f"public/(?P<token>{UUID})/runs/query", sharing.SharedRunQueries, "shared-run-query"),
    at(f"public/(?P<token>{UUID})/feedbacks", sharing.SharedFeedback, "shared-feedback"),
]
