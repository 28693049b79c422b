"""/livez, /readyz and /healthz: what a load balancer, an orchestrator and an operator ask."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

RETRY_AFTER_S = 20
OLDEST_POSTGRES = 150_000
MUST_BE_ON = ("fsync", "full_page_writes", "synchronous_commit")


@require_safe
@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    """Return 200: the process serves requests. Nothing else is looked at."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Return 200 when runs can be stored, else 503 with the reasons.

    The broker is not among them: storing a run needs none, and a sweeper routes it later.
    """
    reasons = obstacles()
    if reasons:
        return JsonResponse(
            {"status": "not ready", "reasons": reasons},
            status=503,
            headers={"Retry-After": str(RETRY_AFTER_S)},
        )
    return JsonResponse({"status": "ready"})


def obstacles() -> list[str]:
    """Return why runs cannot be stored safely now; empty when they can."""
    try:
        return [*_unsafe_settings(), *_missing_migrations()]
    except DatabaseError:
        return ["the database does not answer"]


def _unsafe_settings() -> list[str]:
    names = ["server_version_num", *MUST_BE_ON]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [names])
        found = dict(cursor.fetchall())
    reasons = [
        f"the database has {name} = off: it could lose what was acknowledged"
        for name in MUST_BE_ON
        if found[name] == "off"
    ]
    if int(found["server_version_num"]) < OLDEST_POSTGRES:
        reasons.append("the database is older than PostgreSQL 15")
    return reasons


class _Migrations:
    """Whether all migrations were seen applied: then they stay so for this process's life."""

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
