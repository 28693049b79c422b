"""What a handler takes and gives, declared once: it is read so, and described so by OpenAPI.

    @endpoint(body=QueueCreate, query=QueueQuery, answer=Queue)
    def post(self, request: Request, body: QueueCreate, query: QueueQuery) -> Response:

Bodies and queries are the classes of `bodies`, and the handler gets them read. Answers are
TypedDicts (`schemas.py` of each wing): their types are the JSON types, `msgspec.Meta` says
bounds. A handler without a declaration fails tests/api/test_schema.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypedDict, TypeVar

from observatory.api.kit import bodies

F = TypeVar("F", bound=Callable[..., Any])
JSON: Final = "application/json"
ATTRIBUTE: Final = "described"


class Error(TypedDict):
    """Why a request was refused: a sentence that names the field, and a stable word."""

    detail: str
    code: str


class Binary(TypedDict):
    """A body that is not JSON."""


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    `query`: the class of the query parameters. `body`, `answer`: types; None for no content.
    `takes`, `gives`: their media types. `status`: of the answer; 404 for what is not offered.
    `refusal`: what refusals are, if not `Error`.
    `errors`: statuses of refusals beyond those that every operation of its kind has.
    """

    query: Any = None
    body: Any = None
    answer: Any = None
    status: int = 200
    errors: tuple[int, ...] = ()
    takes: tuple[str, ...] = (JSON,)
    gives: tuple[str, ...] = (JSON,)
    refusal: Any = None


def endpoint(
    *,
    query: Any = None,
    body: Any = None,
    answer: Any = None,
    status: int = 200,
    errors: tuple[int, ...] = (),
    takes: str | tuple[str, ...] = JSON,
    gives: str | tuple[str, ...] = JSON,
    refusal: Any = None,
) -> Callable[[F], F]:
    """Declare what the decorated handler (`get`, `post`, ...) of a view takes and gives.

    A `body` that is a `bodies.Body` or an array of them, and a `query` that is a `bodies.Query`,
    are read before the handler, which gets them as the arguments of those names; see
    `is_read_by_handler` of both.
    """
    operation = Operation(
        query,
        body,
        answer,
        status,
        errors,
        (takes,) if isinstance(takes, str) else takes,
        (gives,) if isinstance(gives, str) else gives,
        refusal,
    )
    described = bodies.body_in(body)
    has_body = described is not None and not described.is_read_by_handler
    read_body = bodies.read if isinstance(body, type) else bodies.read_list
    has_query = (
        isinstance(query, type) and issubclass(query, bodies.Query) and not query.is_read_by_handler
    )

    def mark(handler: F) -> F:
        if not has_body and not has_query:
            handler.__dict__[ATTRIBUTE] = operation
            return handler

        @functools.wraps(handler)
        def read_first(view: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            if has_query:
                kwargs["query"] = bodies.read_query(query, request.GET)
            if has_body:
                kwargs["body"] = read_body(body, request.data)
            return handler(view, request, *args, **kwargs)

        read_first.__dict__[ATTRIBUTE] = operation
        return read_first  # type: ignore[return-value]

    return mark
