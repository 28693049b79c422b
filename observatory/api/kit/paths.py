"""How the URL tables write a path."""

from __future__ import annotations

from django.urls import URLPattern, re_path
from django.views import View

UUID = r"[0-9a-fA-F-]{32,36}"


def at(route: str, view: type[View], name: str) -> URLPattern:
    """Return the pattern of `route`, a regular expression without its ends."""
    return re_path(rf"^{route}/?$", view.as_view(), name=name)
