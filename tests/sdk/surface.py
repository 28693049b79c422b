"""The public surface of the installed Python SDK, found by inspection.

A method is named as a person writes it after the client: `create_run`, `runs.share.create`.
`with_raw_response` and `with_streaming_response` show the same methods again and are no rows. Nor
are the verbs of the generated clients themselves (`get`, `post`): they send what they are given.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator

from langsmith import AsyncClient, Client, evaluation
from langsmith._client import AsyncLangsmith, Langsmith
from langsmith._resource import AsyncAPIResource, SyncAPIResource
from langsmith.run_trees import RunTree

from tests.live import run_apart

CLIENTS = ("Client", "AsyncClient")
GENERATED = ("Langsmith", "AsyncLangsmith")
_PYDANTIC = {"infer_defaults"}  # a validator of RunTree
_NOWHERE = {"api_url": "http://127.0.0.1:1/api", "api_key": "none"}
_INFO = {"version": "0.18.0"}


def is_resource(value: object) -> bool:
    """Is it a part of a client that has methods of its own: `client.runs`?"""
    return isinstance(value, SyncAPIResource | AsyncAPIResource)


def _public(name: str) -> bool:
    return not name.startswith(("_", "with_"))


def _methods(resource: object, path: str) -> Iterator[str]:
    """Yield the methods of a generated resource and of the resources under it."""
    for name in filter(_public, dir(type(resource))):
        value = getattr(resource, name)
        if is_resource(value):
            yield from _methods(value, f"{path}.{name}")
        elif callable(value):
            yield f"{path}.{name}"


def _of_client(client: Client | AsyncClient) -> Iterator[str]:
    for name in filter(_public, dir(type(client))):
        declared = inspect.getattr_static(type(client), name)
        if isinstance(declared, types.MemberDescriptorType):
            continue  # a slot: what the client was made with
        if isinstance(declared, property) and name != "info":
            value = getattr(client, name)
            if is_resource(value):
                yield from _methods(value, name)
            elif hasattr(value, "list"):
                yield from (f"{name}.{verb}" for verb in filter(_public, dir(type(value))))
            else:
                yield name
        else:
            yield name


def _of_generated(client: Langsmith | AsyncLangsmith) -> Iterator[str]:
    """Yield the methods of every resource of a generated client."""
    for name in filter(_public, dir(type(client))):
        value = getattr(client, name)
        if is_resource(value):
            yield from _methods(value, name)


def _own_methods(kind: type) -> Iterator[str]:
    for name in filter(_public, vars(kind)):
        value = getattr(kind, name)
        is_pydantic = name in _PYDANTIC or name.startswith("model_")
        if not is_pydantic and (inspect.isfunction(value) or inspect.ismethod(value)):
            yield name


def python_methods() -> dict[str, set[str]]:
    """Return the public methods of every class that the compatibility page speaks of, by its name."""
    offline = Client(**_NOWHERE, info=_INFO, auto_batch_tracing=False)

    async def of_awaiting() -> set[str]:
        async with AsyncClient(**_NOWHERE, disable_prompt_cache=True) as awaiting:
            awaiting._info = offline.info  # what it would have asked the server for
            return set(_of_client(awaiting))

    generated = Langsmith(base_url=_NOWHERE["api_url"], api_key=_NOWHERE["api_key"])

    async def of_generated_awaiting() -> set[str]:
        async with AsyncLangsmith(
            base_url=_NOWHERE["api_url"], api_key=_NOWHERE["api_key"]
        ) as awaiting:
            return set(_of_generated(awaiting))

    found = {
        "Client": set(_of_client(offline)),
        "AsyncClient": run_apart(of_awaiting),
        "Langsmith": set(_of_generated(generated)),
        "AsyncLangsmith": run_apart(of_generated_awaiting),
        "RunTree": set(_own_methods(RunTree)),
        "evaluation": {
            name for name in evaluation.__all__ if inspect.isfunction(getattr(evaluation, name))
        },
    }
    offline.close()
    generated.close()
    return found
