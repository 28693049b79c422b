"""Run the application for a complete request, in a thread of the worker."""

from __future__ import annotations

import gc
from datetime import datetime
from typing import Any, Final

from gunicorn.http import wsgi
from gunicorn.http.body import ChunkedReader

from observatory.server.connection import Connection

LARGE_ANSWER: Final = 8 << 20


def answer(worker: Any, connection: Connection) -> bool:
    """Respond to the request of `connection`; return whether the client may send another."""
    request, outbox = connection.request, connection.outbox
    try:
        return _answer(worker, connection, request)
    except OSError as error:
        worker.log.debug("The client is gone: %s", error)
        outbox.abandon()
    except Exception as error:
        worker.handle_error(request, outbox, connection.peer, error)
    return False


def _answer(worker: Any, connection: Connection, request: Any) -> bool:
    body, outbox = connection.body, connection.outbox
    assert body is not None
    if isinstance(request.body.reader, ChunkedReader):  # from here on as if it had a Content-Length
        request.headers = [h for h in request.headers if h[0] != "TRANSFER-ENCODING"]
        request.headers.append(("CONTENT-LENGTH", str(body.size)))
    worker.cfg.pre_request(worker, request)
    begun_at = datetime.now()  # noqa: DTZ005 - gunicorn's log takes the difference
    response, environ = wsgi.create(request, outbox, connection.peer, connection.server, worker.cfg)
    environ["wsgi.multithread"] = True
    environ["wsgi.input"] = stream = body.stream()
    environ["observatory.body_file"] = body.descriptor
    worker.nr += 1
    if worker.nr >= worker.max_requests:
        worker.alive = False
    if not worker.alive or not worker.cfg.keepalive:
        response.force_close()
    try:
        _run_application(worker, environ, response)
    except OSError:
        raise
    except Exception:
        if not response.headers_sent:
            raise
        worker.log.exception("Error handling request")
        outbox.abandon()  # the client must not mistake a part for the whole
        return False
    finally:
        stream.close()  # Django's request and response refer to each other, and to this
        worker.log.access(response, request, environ, datetime.now() - begun_at)  # noqa: DTZ005
        worker.cfg.post_request(worker, request, environ, response)
    if response.sent > LARGE_ANSWER:
        gc.collect()
    return not response.should_close()


def _run_application(worker: Any, environ: dict[str, Any], response: Any) -> None:
    pieces = worker.wsgi(environ, response.start_response)
    try:
        if isinstance(pieces, environ["wsgi.file_wrapper"]):
            response.write_file(pieces)
        else:
            for piece in pieces:
                response.write(piece)
        response.close()
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
