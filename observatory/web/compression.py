"""Pages go compressed: the longest shrink to a tenth.

Only HTML: files in `static/` are compressed ahead, by brotli too, and the API's answers are left
to a proxy, since the SDKs read them from near by. gzip, for Django adds a random length to each
answer, so that the length of a page tells nothing about a secret in it (BREACH); the CSRF token
is masked anew in each page as well. A page that shows a new API key goes as it is.
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
        if response.streaming or not is_page or "no-store" in response.get("Cache-Control", ""):
            return response
        return super().process_response(request, response)
