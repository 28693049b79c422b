"""The URL table of /api/v2. Every path answers with and without a trailing slash."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from observatory.api.kit.paths import UUID, at
from observatory.api.v2 import datasets, experiment_runs, public, runs, sessions, threads, traces

THREAD = "(?P<thread_id>.+)"  # an id is the user's own text, a slash may be in it

v2: list[URLPattern | URLResolver] = [
    at("runs/query", runs.RunQueriesV2, "run-query"),
    at(f"runs/(?P<run_id>{UUID})", runs.RunDetailV2, "run-detail"),
    at(f"runs/(?P<run_id>{UUID})/url", runs.RunAddress, "run-address"),
    at(f"runs/(?P<run_id>{UUID})/share", runs.RunSharingV2, "run-share"),
    at("traces/query", traces.TraceQueries, "trace-query"),
    at(f"traces/(?P<trace_id>{UUID})/runs", traces.TraceRuns, "trace-runs"),
    at("threads/query", threads.ThreadQueries, "thread-query"),
    at("threads/stats", threads.ThreadAggregates, "thread-aggregates"),
    at(f"threads/{THREAD}/traces", threads.ThreadTraces, "thread-traces"),
    at(f"threads/{THREAD}/stats", threads.ThreadStats, "thread-stats"),
    at(f"threads/{THREAD}/share", threads.ThreadSharing, "thread-share"),
    at("sessions", sessions.SessionsV2, "sessions"),
    at("sessions/(?P<session_id>[^/]+)", sessions.SessionDetailV2, "session-detail"),
    at("datasets", datasets.DatasetsV2, "datasets"),
    at(
        "datasets/(?P<dataset_id>[^/]+)/experiment-runs",
        experiment_runs.ExperimentRuns,
        "experiment-runs",
    ),
    at(f"public/(?P<token>{UUID})/run/(?P<run_id>{UUID})", public.SharedRunV2, "shared-run"),
    at(f"public/(?P<token>{UUID})/runs/query", public.SharedRunQueriesV2, "shared-run-query"),
]
