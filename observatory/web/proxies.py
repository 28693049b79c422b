"""Middleware that finds a client's real address."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from observatory.proxies import client_of, is_trusted


class ProxyMiddleware:
    """Puts the client's address into REMOTE_ADDR, and trusts X-Forwarded-* of proxies only.

    The headers of other peers are removed. First of all middleware, because the others check
    whether the request came over TLS.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        peer, proxies = meta.get("REMOTE_ADDR", ""), settings.TRUSTED_PROXIES
        if is_trusted(peer, proxies):
            meta["REMOTE_ADDR"] = client_of(peer, meta.get("HTTP_X_FORWARDED_FOR", ""), proxies)
        else:
            for name in ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"):
                meta.pop(name, None)
        return self.get_response(request)
