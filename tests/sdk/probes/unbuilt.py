"""What is not built yet, asked for all the same: any argument that is required, as an id or a list."""

from __future__ import annotations

import inspect
from typing import Any
from uuid import uuid4

from tests.sdk.probes import NOT_BUILT, NOT_YET, Program, World, refused

ERRORS = {404: "NotFoundError 404", 405: "APIStatusError 405"}
ID = str(uuid4())
GIVEN = {
    "body": [ID],
    "example_ids": [ID],
    "kind": "EVALUATOR",
    "operations": [{"operation": "SET", "key": "a", "value": 1}],
    "select": ["THREAD_COUNT"],
    "selects": ["ID"],
    "session_ids": [ID],
    "start_time": "2026-01-01T00:00:00Z",
    "status": "needs_my_review",
    "type": "PROJECT",
}


def asking(method: str) -> Program:
    """Return a program that calls `method` with whatever it requires."""

    def call(w: World) -> Any:
        *path, name = method.split(".")
        resource = w.client
        for step in path:
            resource = getattr(resource, step)
        declared = inspect.signature(getattr(resource.target, name)).parameters.values()
        required = [one.name for one in declared if one.default is inspect.Parameter.empty]
        return getattr(resource, name)(**{one: GIVEN.get(one, ID) for one in required})

    call.__name__ = method
    return call


for method, status in NOT_YET.items():
    of = ("Client",) if method.startswith("sessions.") else ("Client", "AsyncClient")
    refused(method, seen=ERRORS[status], why=NOT_BUILT, of=of)(asking(method))
