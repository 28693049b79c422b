"""docs/sdk-compatibility.md names every public method of the SDKs, and says what is so."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sdk import compatibility, versions
from tests.sdk.compatibility import KINDS, TARGET, Declared, seen_in_python, worlds
from tests.sdk.conftest import Server, environment
from tests.sdk.probes import PROBES, Loop, Probe, World
from tests.sdk.surface import python_methods

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]
METHODS = python_methods()
Table = tuple[dict[str, set[str]], list[Declared]]


def programs() -> Iterator[Any]:
    """Every probe with every kind of client that has one of its methods."""
    for probe in PROBES:
        for kind in probe.of:
            if called := [method for method in probe.methods if method in METHODS[kind]]:
                yield pytest.param(probe, kind, called, id=f"{kind}-{probe.name}")


@pytest.fixture(scope="module")
def at_hand(server: Server) -> Iterator[dict[str, World]]:
    loop = Loop()
    logging.getLogger("langsmith").setLevel(logging.ERROR)
    yield worlds(server.endpoint, server.key, loop)
    loop.stop()


@pytest.mark.parametrize(("probe", "kind", "called"), list(programs()))
def test_python_sees_what_is_declared(
    at_hand: dict[str, World], probe: Probe, kind: str, called: list[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK has deprecated part of what is called
        seen, told = seen_in_python(probe, kind, at_hand[kind])
    assert seen == probe.seen, told
    assert set(called) <= at_hand[kind].noted, "declared, and not called"


def test_javascript_sees_what_is_declared(server: Server, node: str) -> None:
    declared = compatibility.node("declared")["declared"]
    wanted = {method: probe["seen"] for probe in declared for method in probe["methods"]}
    told = compatibility.node("seen", variables=environment(server, "probes"))
    wrong = [
        f"{probe['kind']} {probe['methods']}: saw {probe['seen']}\n{probe['told']}"
        for probe in told
        if any(wanted[method] != probe["seen"] for method in probe["methods"])
    ]
    assert wrong == [], "\n".join(wrong)
    assert {method for probe in told for method in probe["methods"]} == set(wanted)
    for probe in told:
        assert set(probe["methods"]) <= set(probe["noted"]), "declared, and not called"


# The page -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(node: str) -> Table:
    return compatibility.declared()


@pytest.fixture(scope="module")
def document() -> str:
    return TARGET.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_every_public_method_is_declared_once_and_no_other(table: Table, kind: str) -> None:
    methods, rows = table
    assert sorted(row.method for row in rows if row.kind == kind) == sorted(methods[kind])


def test_refused_methods_have_a_reason(table: Table) -> None:
    assert [row.method for row in table[1] if not row.works and not row.why] == []


def test_every_probe_calls_a_method_that_some_client_has(table: Table) -> None:
    known = set().union(*table[0].values())
    probed = {method for probe in PROBES for method in probe.methods}
    assert probed - known == set()


def test_the_page_names_every_method_of_the_installed_sdks(table: Table, document: str) -> None:
    sections = {
        section.partition("\n")[0]: set(re.findall(r"^\| `(\S+)`", section, re.M))
        for section in re.split(r"^## ", document, flags=re.M)[1:]
    }

    def methods_of(*kinds: str) -> set[str]:
        return set().union(*(table[0][kind] for kind in kinds))

    assert sections == {
        "Python clients": methods_of("Client", "AsyncClient"),
        "Generated Python clients": methods_of("Langsmith", "AsyncLangsmith"),
        "Python tracing and experiments": methods_of("RunTree", "evaluation"),
        "JavaScript clients": methods_of("JavaScript", "default export"),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_counts_right(table: Table, document: str, kind: str) -> None:
    methods, rows = table
    line = re.search(rf"^\| {re.escape(KINDS[kind])} \|(.+)\|$", document, re.M)
    assert line is not None
    _, *told = (cell.strip() for cell in line[1].split("|"))
    work = sum(row.works for row in rows if row.kind == kind)
    assert [int(cell) for cell in told] == [
        len(methods[kind]),
        work,
        len(methods[kind]) - work,
    ]


def test_the_page_matches_the_probes(node: str, document: str) -> None:
    assert document == compatibility.text(), "run `python -m tests.sdk.compatibility`"


def test_the_newest_releases_are_installed() -> None:
    import langsmith

    assert langsmith.__version__ == versions.releases()["Python"][versions.NEWEST]
