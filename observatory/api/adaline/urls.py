"""The URLs of this wing; see observatory/api/urls.py."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from observatory.api.adaline import logs
from observatory.api.kit.paths import at

adaline: list[URLPattern | URLResolver] = [
    at("logs", logs.LogList, "logs"),
    at("logs/trace", logs.LogTraces, "log-trace"),
    at("logs/update-log", logs.LogTraceUpdate, "log-update"),
    at("logs/span", logs.LogSpans, "log-span"),
    at("logs/traces", logs.LogTraceSearch, "log-trace-search"),
    at("logs/spans", logs.LogSpanSearch, "log-span-search"),
]
