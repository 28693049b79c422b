"""Every endpoint answers right and wrong requests as it was recorded (`python -m tests.corpus`)."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.corpus import plan, replay
from tests.corpus.answers import HERE, KINDS, Corpus

# django_db, so that pytest-django makes the database of `corpora`; the first test waits for it.
pytestmark = [pytest.mark.django_db, pytest.mark.timeout(1_200)]
FIXED = [kind for kind in KINDS if kind != "text"]
MODE = os.environ.get("OBSERVATORY_TEST_CORPUS", "")  # "record" and "check" of tests.corpus


@pytest.fixture(scope="module")
def corpora(django_db_setup, django_db_blocker) -> tuple[Corpus, Corpus]:
    """The corpus as it is stored, and as the server answers now."""
    from django.db import transaction

    with django_db_blocker.unblock(), transaction.atomic():
        if MODE == "record":
            plan.store(plan.completed(plan.stored(), plan.derived()))
        order = os.environ.get("OBSERVATORY_TEST_CORPUS_ORDER") == "reversed"
        fresh = replay.answered(plan.stored(), is_reversed=order)
        transaction.set_rollback(True)
    stored = Corpus.stored(Path(os.environ.get("OBSERVATORY_TEST_CORPUS_FROM", HERE)))
    report(stored, fresh)
    if MODE == "record":
        fresh.store()
        stored = Corpus.stored()
    return stored, fresh


def report(stored: Corpus, fresh: Corpus) -> None:
    """Print how much was sent and how much differs, by kind."""
    differences = stored.differences(fresh)
    by_status = Counter(answer.status for answer in fresh.answers.values())
    n_operations = len({operation for operation, _, _ in fresh.answers})
    print(f"\ncorpus: {len(fresh.answers)} requests, {n_operations} operations")
    print("statuses:", ", ".join(f"{status}: {n}" for status, n in sorted(by_status.items())))
    print("differences:", ", ".join(f"{kind} {len(differences[kind])}" for kind in KINDS))
    if MODE:
        for kind in KINDS:
            for line in differences[kind]:
                print(f"  {kind}: {line}")


@pytest.mark.parametrize("kind", FIXED)
def test_status_shape_and_headers_are_as_recorded(corpora, kind: str) -> None:
    stored, fresh = corpora
    lines = stored.differences(fresh)[kind]
    assert not lines, f"{len(lines)} answers differ in {kind}:\n" + "\n".join(lines[:40])


def test_the_words_of_refusals_are_as_recorded(corpora) -> None:
    stored, fresh = corpora
    lines = stored.differences(fresh)["text"]
    assert not lines, (
        f"{len(lines)} texts differ: if they are meant, run `python -m tests.corpus` and review"
        " the diff of tests/corpus/texts:\n" + "\n".join(lines[:40])
    )


def test_no_request_breaks_the_server(corpora) -> None:
    _, fresh = corpora
    assert [key for key, answer in fresh.answers.items() if answer.status == 500] == []


def test_every_operation_of_the_url_table_is_in_the_corpus() -> None:
    """A new endpoint, parameter or field is sent, too: `python -m tests.corpus` adds it."""
    stored = plan.stored()
    assert sorted(stored) == plan.operations()
    assert stored == plan.completed(stored, plan.derived())
