"""Compress pages: the longest shrink to a tenth.

Only HTML: static files are compressed ahead, by brotli too, and API responses are left to a proxy,
since most SDKs are near by. Why gzip: Django adds a random length to each response, so that its
length does not reveal a secret in it to an attacker who makes the browser request it many times
(BREACH). The CSRF token is also masked anew in each page, and the secret of an API key is in one
response only.
"""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class PageCompression(GZipMiddleware):
    """Django's gzip with its random padding, for whole HTML pages and parts of them."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if response.streaming or not is_page:
            return response
        return super().process_response(request, response)
