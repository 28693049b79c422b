"""What a request and its answer look like, said beside the handler; `schema` makes OpenAPI of it.

    @describe(query=SessionQuery, answer=list[Session])
    def get(self, request: Request) -> Response:

Shapes are TypedDicts (observatory/api/*/schemas.py): their types are the JSON types,
`msgspec.Meta` says bounds. A handler without a description fails tests/api/test_schema.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypedDict, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
JSON: Final = "application/json"
ATTRIBUTE: Final = "described"


class Error(TypedDict):
    """Why a request was refused: a sentence that names the field, and a stable word."""

    detail: str
    code: str


class Binary(TypedDict):
    """Bytes that are no JSON."""


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    `query`: a TypedDict of the query parameters. `body`, `answer`: types; None for no content.
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


def describe(
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
    """Say what the decorated handler (`get`, `post`, ...) of a view takes and gives."""
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

    def mark(handler: F) -> F:
        handler.__dict__[ATTRIBUTE] = operation
        return handler

    return mark
