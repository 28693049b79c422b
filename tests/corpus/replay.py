"""Send every case and keep the answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from tests.corpus import cases, world
from tests.corpus.answers import Corpus
from tests.corpus.cases import Case
from tests.corpus.plan import Plan


def all_cases(plan: Plan) -> Iterator[tuple[str, Case]]:
    """Yield (operation, case) of the whole plan, in one order. No two have the same name."""
    paths: set[str] = set()
    for operation in sorted(plan):
        path = operation.split(" ")[1]
        seen: set[tuple[str, str]] = set()
        for case in cases.of(operation, plan[operation], path not in paths):
            assert (case.subject, case.name) not in seen, (operation, case.subject, case.name)
            seen.add((case.subject, case.name))
            yield operation, case
        paths.add(path)


def answered(plan: Plan, *, is_reversed: bool = False) -> Corpus:
    """Return the answers to the whole plan. Call it in a transaction."""
    corpus, furnished = Corpus(), world.furnish()
    todo = list(all_cases(plan))
    logging.disable(logging.CRITICAL)  # a line for each refusal
    try:
        for operation, case in reversed(todo) if is_reversed else todo:
            corpus.add(operation, case, furnished.send(case))
    finally:
        logging.disable(logging.NOTSET)
    return corpus
