"""The pages' URL table."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from observatory.web import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("healthz", health.healthz, name="healthz"),
]
