"""Small programs that call every public method of the Python SDK against a live server.

A probe declares which methods it calls and what comes of it: `@works("read_run")` or
`@refused("agents.list", "NotFoundError 404", why=...)`. The compatibility table is written from
these declarations; `tests/sdk/test_compatibility.py` runs the programs, sees that each really made
the calls it declares, and holds what it saw against what is declared.

One program serves `Client` and `AsyncClient` where both have the method: `w.client` waits for what
has to be awaited and lists what comes in pieces. A program that calls only resources (`runs.query`)
serves the generated `Langsmith` and `AsyncLangsmith`, too.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import types
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from langsmith import Client
from langsmith._base_client import BaseSyncPage
from langsmith._streaming import Stream
from langsmith.prompt_cache import async_prompt_cache_singleton
from langsmith.uuid import uuid7

from tests.sdk.surface import CLIENTS, GENERATED, is_resource

NOON = datetime.now(UTC).replace(microsecond=123456) - timedelta(minutes=5)


@dataclass(frozen=True)
class Probe:
    """A program, the methods it calls, and what it is expected to see."""

    call: Callable[[World], Any]
    methods: tuple[str, ...]
    of: tuple[str, ...]
    seen: str  # "works", or the error and its status
    why: str

    @property
    def name(self) -> str:
        return f"{self.call.__module__.rpartition('.')[2]}.{self.call.__name__}"


PROBES: list[Probe] = []
Program = Callable[["World"], Any]


def works(
    *methods: str, of: Iterable[str] = CLIENTS, why: str = ""
) -> Callable[[Program], Program]:
    """The program runs through; its asserts say what has come back."""
    return _declared(methods, of, "works", why)


def refused(
    *methods: str, seen: str, why: str, of: Iterable[str] = CLIENTS
) -> Callable[[Program], Program]:
    """The program ends with the error `seen`, as `NotFoundError 404`; `why` says the reason."""
    return _declared(methods, of, seen, why)


def _declared(
    methods: tuple[str, ...], of: Iterable[str], seen: str, why: str
) -> Callable[[Program], Program]:
    of_resources = GENERATED if all("." in method for method in methods) else ()
    kinds = tuple(dict.fromkeys((*of, *of_resources)))

    def keep(call: Program) -> Program:
        PROBES.append(Probe(call, methods, kinds, seen, why))
        return call

    return keep


def refused_calls(
    calls: dict[str, Program], *, seen: str, why: str, of: Iterable[str] = CLIENTS
) -> None:
    """Declare one refused probe for each `method: program` of a family."""
    for method, call in calls.items():
        call.__name__ = method
        refused(method, seen=seen, why=why, of=of)(call)


def outcome(error: BaseException) -> str:
    """Return an error as the table names it: its class, and its HTTP status if it has one."""
    cause: BaseException | None = error
    while cause is not None:
        status = getattr(cause, "status_code", None) or getattr(
            getattr(cause, "response", None), "status_code", None
        )
        if status is not None:
            return f"{type(error).__name__} {status}"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


class Loop:
    """An event loop in a thread of its own: the test's thread may have one already."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def wait(self, awaitable: Any, timeout_s: float = 120) -> Any:
        async def awaited() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(timeout_s)

    def stop(self) -> None:
        # The SDK has one cache of prompts for all loops, and a task of it waits in this one.
        self.wait(async_prompt_cache_singleton.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


def _waits(call: Any) -> bool:
    """Has what it answers to be awaited, though what it is a method of does not say so?"""
    return inspect.iscoroutinefunction(inspect.unwrap(call))


async def _gathered(pieces: AsyncIterable[Any]) -> list[Any]:
    return [piece async for piece in pieces]


@dataclass
class Calls:
    """A client, or a resource of one, that notes which of its methods are called."""

    _target: Any
    _loop: Loop
    _noted: set[str]
    _path: str = ""

    @property
    def target(self) -> Any:
        """The client or resource itself: to look at, not to call."""
        return self._target

    def _settled(self, value: Any) -> Any:
        if inspect.isawaitable(value) and not isinstance(value, AsyncIterable):
            value = self._loop.wait(value)
        if isinstance(value, AsyncIterable):
            return self._loop.wait(_gathered(value))
        if isinstance(value, types.GeneratorType | BaseSyncPage | Stream):
            return list(value)
        return value

    def __getattr__(self, name: str) -> Any:
        path = f"{self._path}.{name}" if self._path else name
        value = getattr(self._target, name)
        if is_resource(value):
            return Calls(value, self._loop, self._noted, path)
        self._noted.add(path)
        if not callable(value):
            return self._settled(value)

        def call(*args: Any, **kwargs: Any) -> Any:
            if "Async" not in type(self._target).__name__ and not _waits(value):
                return self._settled(value(*args, **kwargs))

            async def answer() -> Any:  # called inside the loop: some bind to it then
                made = value(*args, **kwargs)
                return made if isinstance(made, AsyncIterable) else await made

            return self._settled(self._loop.wait(answer()))

        return call


@dataclass
class World:
    """What a probe has at hand: a client of the kind in question, and things to ask about."""

    client: Any  # Calls of the client in question
    plain: Client  # prepares and reads back; its calls are not noted
    url: str
    key: str
    loop: Loop
    noted: set[str] = field(default_factory=set)

    def noting(self, thing: Any) -> Any:
        """Another client, a run tree or a module whose calls are noted, too."""
        return Calls(thing, self.loop, self.noted)

    def name(self, of: str = "probe") -> str:
        return f"{of}-{uuid4().hex[:10]}"

    def run(self, project: str | None = None, **more: Any) -> Any:
        """A finished run of a project, stored; returns it as the SDK reads it."""
        run_id = uuid7()
        self.plain.create_run(
            more.pop("name", "answer"),
            more.pop("inputs", {"question": "why?"}),
            more.pop("run_type", "chain"),
            id=run_id,
            trace_id=run_id,
            dotted_order=f"{NOON:%Y%m%dT%H%M%S%f}Z{run_id}",
            project_name=project or self.name("project"),
            start_time=NOON,
            end_time=NOON + timedelta(seconds=2),
            outputs=more.pop("outputs", {"answer": "because"}),
            **more,
        )
        self.plain.flush()
        return self.plain.read_run(run_id)

    def dataset(self, *examples: dict[str, Any]) -> tuple[UUID, list[UUID]]:
        """A dataset of `{"inputs", "outputs"}`; returns its id and those of its examples."""
        dataset = self.plain.create_dataset(self.name("dataset"))
        given = list(examples) or [
            {"inputs": {"x": n}, "outputs": {"y": n * n}, "split": "test" if n else "train"}
            for n in range(3)
        ]
        made = self.plain.create_examples(dataset_id=dataset.id, examples=given)
        return dataset.id, [UUID(str(id_)) for id_ in dict(made)["example_ids"]]

    def queue(self, *run_ids: UUID) -> Any:
        """An annotation queue that holds the runs."""
        queue = self.plain.create_annotation_queue(
            name=self.name("queue"),
            rubric_items=[{"feedback_key": "correctness", "description": "Is it right?"}],
        )
        if run_ids:
            self.plain.add_runs_to_annotation_queue(queue.id, run_ids=list(run_ids))
        return queue

    def item_of(self, queue_id: Any) -> str:
        """The id of the only item of a queue."""
        answer = self.plain.request_with_retries("GET", f"/annotation-queues/{queue_id}/runs")
        (item,) = answer.json()
        return str(item["queue_run_id"])

    def experiment(self) -> tuple[Any, UUID, list[UUID]]:
        """An experiment over a dataset; returns it, the dataset's id and the examples'."""
        dataset_id, example_ids = self.dataset()
        results = self.plain.evaluate(
            lambda inputs: {"y": inputs["x"] ** 2},
            data=dataset_id,
            evaluators=[right],
            experiment_prefix=self.name("experiment"),
        )
        self.plain.flush()
        return (
            self.plain.read_project(project_name=results.experiment_name),
            dataset_id,
            example_ids,
        )


def right(outputs: dict[str, Any], reference_outputs: dict[str, Any]) -> dict[str, Any]:
    """An evaluator: is it the reference?"""
    return {"key": "right", "score": outputs == reference_outputs}


def ids(things: Iterable[Any]) -> Iterator[str]:
    """Yield the ids of things as text."""
    return (str(thing.id) for thing in things)
