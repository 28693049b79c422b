"""/livez, /readyz and /healthz for load balancers, orchestrators and operators."""

from __future__ import annotations

import shutil
import time
from datetime import datetime
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

import observatory
from observatory.embedded.broker import Channel as EmbeddedChannel
from observatory.outages import RETRY_AFTER_S
from observatory.runs.models import Change, Rejected
from observatory.web.outage import without_a_log_line
from observatory.workspaces import keys
from observatory.workspaces.models import User, Workspace

OLDEST_POSTGRES = 150_000
MUST_BE_ON = ("fsync", "full_page_writes", "synchronous_commit")


@require_safe
@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    """Return 200: the process serves requests. Checks nothing else."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Return 200 when runs can be stored, else 503 with the reasons.

    The broker is not checked: storing a run needs none, and a sweeper routes it later.
    """
    reasons = obstacles()
    if reasons:
        return _not_ready(reasons)
    return JsonResponse({"status": "ready"})


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Return the details: of everything for an operator, of its workspace for an API key."""
    try:
        is_allowed, workspace = _who_asks(request, timezone.now())
        if not is_allowed:
            body = {"detail": "Sign in as an operator, or send an API key", "code": "forbidden"}
            return JsonResponse(body, status=401)
        reasons = obstacles()
        detail = {} if reasons else _detail(workspace, timezone.now())
    except DatabaseError:
        return _not_ready(["the database does not answer"])
    return JsonResponse(
        {
            "status": "not ready" if reasons else "ready",
            "reasons": reasons,
            "version": observatory.__version__,
            "broker": _broker_state(),
            **detail,
        },
        status=503 if reasons else 200,
    )


def obstacles() -> list[str]:
    """Return why runs cannot be stored safely now; empty when they can."""
    try:
        return [*_unsafe_settings(), *_missing_migrations()]
    except DatabaseError:
        return ["the database does not answer"]


def _not_ready(reasons: list[str]) -> HttpResponse:
    response = JsonResponse(
        {"status": "not ready", "reasons": reasons},
        status=503,
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
    return without_a_log_line(response)  # requested every second, it would fill the log


def _who_asks(request: HttpRequest, now: datetime) -> tuple[bool, Workspace | None]:
    """Return whether the client may see the details, and of which workspace (None: of all)."""
    if token := request.headers.get("x-api-key"):
        key = keys.find(token, now)
        return key is not None, key.workspace if key is not None else None
    user = request.user
    return isinstance(user, User) and user.is_active and user.is_superuser, None


def _unsafe_settings() -> list[str]:
    names = ["server_version_num", *MUST_BE_ON]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [names])
        values = dict(cursor.fetchall())
    reasons = [
        f"the database has {name} = off: it could lose what was acknowledged"
        for name in MUST_BE_ON
        if values[name] == "off"
    ]
    if int(values["server_version_num"]) < OLDEST_POSTGRES:
        reasons.append("the database is older than PostgreSQL 15")
    return reasons


class _Migrations:
    """Caches that all migrations are applied, for the life of this process."""

    are_applied = False


def _missing_migrations() -> list[str]:
    if _Migrations.are_applied:
        return []
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        return [f"{len(plan)} migrations are not applied: run `observatory migrate`"]
    _Migrations.are_applied = True
    return []


def _detail(workspace: Workspace | None, now: datetime) -> dict[str, Any]:
    changes, rejected = Change.objects.all(), Rejected.objects.all()
    if workspace is not None:
        changes = changes.filter(workspace=workspace)
        rejected = rejected.filter(workspace=workspace)
    started = time.perf_counter()
    waiting = changes.aggregate(
        n_waiting=Count("pk", filter=Q(is_dead=False)),
        oldest=Min("created_at", filter=Q(is_dead=False)),
        n_dead=Count("pk", filter=Q(is_dead=True)),
    )
    latency_s = time.perf_counter() - started
    oldest = waiting["oldest"]
    return {
        "database": {
            "version": f"{connection.pg_version // 10_000}.{connection.pg_version % 10_000}",  # type: ignore[attr-defined]
            "latency_ms": round(latency_s * 1_000, 2),
        },
        "routing": {
            "n_waiting": waiting["n_waiting"],
            "oldest_age_s": round((now - oldest).total_seconds(), 1) if oldest else 0,
            "n_dead": waiting["n_dead"],
        },
        "n_rejected": rejected.count(),
        "disk_free_bytes": _disk_free_bytes() if workspace is None else None,
    }


def _disk_free_bytes() -> int | None:
    try:
        return shutil.disk_usage(settings.DATA_DIR).free
    except OSError:
        return None


def _broker_state() -> str:
    """Return whether the broker can be reached: information only, not part of readiness."""
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)
            channel = broker.default_channel
            if isinstance(channel, EmbeddedChannel):  # it has no server
                channel.check()
    except Exception as error:  # each transport has its own errors
        return f"does not answer ({type(error).__name__}): reviews and ingestion go on"
    return "answers"
