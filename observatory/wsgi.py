"""The WSGI entry point, with a shim that makes chunked uploads readable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "observatory.settings")

_django = get_wsgi_application()
_UNTIL_THE_END = str(1 << 62)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Serve one request.

    Django reads CONTENT_LENGTH bytes and treats a missing one as zero, so a chunked body (the
    JavaScript SDK's) would read as empty. Where the server ends the input itself, a huge length
    makes Django read to that end; the API counts what it reads against its own limit.
    """
    if (
        environ.get("wsgi.input_terminated")
        and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    ):
        environ["CONTENT_LENGTH"] = _UNTIL_THE_END
    return _django(environ, start_response)
