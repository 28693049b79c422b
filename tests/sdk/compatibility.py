"""docs/sdk-compatibility.md, written from what the probes declare.

`python -m tests.sdk.compatibility` writes it (it needs node). `... seen WORD` runs the probes whose
methods hold WORD against the server that LANGSMITH_ENDPOINT and LANGSMITH_API_KEY name, and prints
where they saw something else than they declare.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langsmith import AsyncClient, Client
from langsmith._client import AsyncLangsmith, Langsmith

from tests.sdk import probes, versions
from tests.sdk.probes import PROBES, Calls, Loop, Probe, World, outcome
from tests.sdk.surface import CLIENTS, GENERATED, python_methods

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = ROOT / "docs" / "sdk-compatibility.md"
KINDS = {
    "Client": "Python `Client`",
    "AsyncClient": "Python `AsyncClient`",
    "Langsmith": "Python `Langsmith` (generated)",
    "AsyncLangsmith": "Python `AsyncLangsmith` (generated)",
    "RunTree": "Python `RunTree`",
    "evaluation": "Python `langsmith.evaluation`",
    "JavaScript": "JavaScript `Client`",
    "default export": "JavaScript default export `Langsmith` (generated)",
}
OF_JAVASCRIPT = ("JavaScript", "default export")
NODE_S = 240

for found in pkgutil.iter_modules(probes.__path__):
    importlib.import_module(f"{probes.__name__}.{found.name}")


@dataclass(frozen=True)
class Declared:
    """What is declared of one method of one kind of client."""

    kind: str
    method: str
    seen: str
    why: str
    proof: str  # a path from docs/

    @property
    def works(self) -> bool:
        return self.seen == "works"


def _of_python() -> Iterator[Declared]:
    methods = python_methods()
    for probe in PROBES:
        file = probe.call.__code__.co_filename
        for kind in probe.of:
            for method in probe.methods:
                # A program for both clients speaks of the methods that each has.
                if method in methods[kind] or len(probe.of) == 1:
                    proof = f"../tests/sdk/probes/{Path(file).name}"
                    yield Declared(kind, method, probe.seen, probe.why, proof)


def node(*words: str, variables: Mapping[str, str] | None = None) -> Any:
    """Run js/probe.mjs and return what it prints."""
    found = shutil.which("node")
    assert found, "the probes of the JavaScript SDK need node (Debian package nodejs)"
    done = subprocess.run(
        [found, "probe.mjs", *words],
        cwd=versions.JS,
        env=None if variables is None else dict(variables),
        capture_output=True,
        text=True,
        timeout=NODE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def declared() -> tuple[dict[str, set[str]], list[Declared]]:
    """Return the methods of every kind of client, and what is declared of them."""
    of_node = node("declared")
    methods = python_methods() | {kind: set(of_node["methods"][kind]) for kind in OF_JAVASCRIPT}
    rows = list(_of_python())
    for probe in of_node["declared"]:
        proof = f"../tests/sdk/js/probes/{probe['file']}"
        rows += [
            Declared(kind, method, probe["seen"], probe["why"], proof)
            for kind in OF_JAVASCRIPT
            for method in probe["methods"]
            if method in methods[kind]
        ]
    return methods, rows


def seen_in_python(probe: Probe, kind: str, world: World) -> tuple[str, str]:
    """Run a probe; returns what it saw, and the trace of the error if it ended with one."""
    world.noted.clear()
    try:
        probe.call(world)
    except Exception as error:
        return outcome(error), traceback.format_exc()
    return "works", ""


def worlds(url: str, key: str, loop: Loop) -> dict[str, World]:
    """Return what the probes have at hand, by kind of client."""
    plain = Client(api_url=url, api_key=key)
    # The generated classes ask `/api/v1/...` and `/api/v2/...` of what they are given.
    generated = {"base_url": url.removesuffix("/api"), "api_key": key}
    clients: dict[str, Any] = {
        "Client": Client(api_url=url, api_key=key),
        "AsyncClient": AsyncClient(api_url=url, api_key=key),
        "Langsmith": Langsmith(**generated),
        "AsyncLangsmith": AsyncLangsmith(**generated),
        "RunTree": None,
        "evaluation": None,
    }
    at_hand = {}
    for kind, client in clients.items():
        noted: set[str] = set()
        calls = None if client is None else Calls(client, loop, noted)
        at_hand[kind] = World(calls, plain, url, key, loop, noted)
    return at_hand


# The document ------------------------------------------------------------------------------------

HEAD = """# What the SDKs can do here

Every public method of the newest LangSmith SDKs, and what Observatory answers. Written from the
programs that call them (`python -m tests.sdk.compatibility`); the tests run every one of those
programs against a live server, see that it really makes the call, and compare what it saw with this
page. *Works* means that the program read back what it wrote. Anything else is the error that the SDK
raises, with the HTTP status if a server was asked: such a call changes nothing.

`with_raw_response` and `with_streaming_response` show the same methods again and have no rows. The
generated classes `Langsmith` and `AsyncLangsmith` of Python and the default export of the npm package
are made with the server's address without `/api`: `Langsmith(base_url="http://localhost:8000")`. Their
resources have rows of their own; their bare verbs (`get`, `post`) send what they are given.

What is asked in words or by meaning is refused by name: `ai_search` and `sem_filter` of `runs.query`,
`traces.query` and `threads.query` answer 501, `tag_value_ids` (resource tags, which are not kept) 422.
"""


def counts(methods: Mapping[str, Iterable[str]], rows: list[Declared]) -> Iterator[str]:
    """Yield the lines of the table of counts."""
    release = versions.releases()
    yield "| | release | methods | work | refused |"
    yield "|---|---|---|---|---|"
    for kind, title in KINDS.items():
        language = "JavaScript" if kind in OF_JAVASCRIPT else "Python"
        of_kind = [row for row in rows if row.kind == kind]
        work = sum(row.works for row in of_kind)
        yield (
            f"| {title} | {release[language][versions.NEWEST]} | {len(set(methods[kind]))} "
            f"| {work} | {len(of_kind) - work} |"
        )


def _rows(kinds: tuple[str, ...], rows: list[Declared]) -> Iterator[str]:
    by_method: dict[str, dict[str, Declared]] = {}
    for row in rows:
        if row.kind in kinds:
            by_method.setdefault(row.method, {})[row.kind] = row
    yield f"| method | {' | '.join(kinds)} | why | shown by |"
    yield "|---|" + "---|" * (len(kinds) + 2)
    for method in sorted(by_method, key=lambda name: ("." in name, name)):
        of = by_method[method]
        one = next(iter(of.values()))
        cells = [of[kind].seen if kind in of else "" for kind in kinds]
        proof = f"[{Path(one.proof).name}]({one.proof})"
        yield f"| `{method}` | {' | '.join(cells)} | {one.why} | {proof} |"


def text() -> str:
    """Return the whole page."""
    methods, rows = declared()
    release = versions.releases()
    parts = [
        HEAD,
        *counts(methods, rows),
        "",
        "The tests also run the programs of `tests/sdk` with the releases of a year ago: Python "
        f"{release['Python'][versions.YEAR_OLD]} and JavaScript "
        f"{release['JavaScript'][versions.YEAR_OLD]}.",
        "",
        "## Python clients\n",
        *_rows(CLIENTS, rows),
        "\n## Generated Python clients\n",
        *_rows(GENERATED, rows),
        "\n## Python tracing and experiments\n",
        *_rows(("RunTree",), rows),
        "",
        *_rows(("evaluation",), rows),
        "\n## JavaScript clients\n",
        *_rows(OF_JAVASCRIPT, rows),
    ]
    return "\n".join(parts) + "\n"


def _differences(word: str) -> int:
    """Print where the probes of `word` see something else than they declare; return how many."""
    url, key = os.environ["LANGSMITH_ENDPOINT"], os.environ["LANGSMITH_API_KEY"]
    known, loop, found = python_methods(), Loop(), 0
    at_hand = worlds(url, key, loop)
    for probe in PROBES:
        for kind in probe.of:
            called = [method for method in probe.methods if method in known[kind]]
            if not any(word in method for method in called):
                continue
            seen, told = seen_in_python(probe, kind, at_hand[kind])
            missed = sorted(set(called) - at_hand[kind].noted)
            if seen != probe.seen or missed:
                found += 1
                print(f"{kind} {probe.name}: saw {seen}, not {probe.seen}; missed {missed}\n{told}")
    wanted = {
        method: one["seen"] for one in node("declared")["declared"] for method in one["methods"]
    }
    for one in node("seen", word, variables=os.environ):
        if any(one["seen"] != wanted[method] for method in one["methods"]):
            found += 1
            print(f"{one['kind']} {one['methods']}: saw {one['seen']}\n{one['told']}")
    loop.stop()
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["seen"]:
        sys.exit(min(_differences((sys.argv[2:] or [""])[0]), 1))
    TARGET.write_text(text())
