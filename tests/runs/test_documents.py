"""What a look at many bytes may rule out for the documents among them."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from observatory.runs import documents
from observatory.runs.documents import BadItem, Suspicion

NUMBERS = st.sampled_from(
    ["1", "-0.5", "12e3", "1e99", "1E+308", "1e-308", "1e309", "2E400", "1e-4000", "7e000001"]
) | st.sampled_from([1, 63, 64, 4_299, 4_300, 4_301, 4_363, 9_000]).map(lambda n: "9" * n)
TEXTS = st.sampled_from(["1e999", "0e000x", 'a\\"1e400', "7" * 5_000, "\\u0000", "é", "\\ud83d"])
MEMBERS = st.lists(NUMBERS | TEXTS.map(lambda text: f'"{text}"'), min_size=1, max_size=4)


def _complaint(document: bytes, suspicion: Suspicion) -> str | None:
    try:
        documents.check(document, suspicion)
    except BadItem as bad:
        return bad.code
    return None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MEMBERS, st.integers(0, 80), st.integers(0, 80))
@example(["9" * 4_301], 0, 0)
@example(["1e309"], 63, 1)
def test_a_scan_never_misses_what_a_document_contains(members, before, after) -> None:
    document = f"[{','.join(members)}]".encode()
    neighbours = b'--6d3f2a9e1c name="post.01e0-1e123"' * before, b'{"a": 1}' * after
    suspicion = documents.look(neighbours[0] + document + neighbours[1])
    assert _complaint(document, suspicion) == _complaint(document, documents.SUSPECT)
    was_mended = documents.sanitize(document)[1]
    assert suspicion.escapes or not was_mended


def test_many_look_alikes_of_a_number_are_suspected_and_not_refused() -> None:
    document = json.dumps(["1e000x"] * 5_000).encode()
    assert documents.look(document).numbers
    documents.check(document)


@pytest.mark.parametrize("cut", range(-8, 9))
def test_a_number_across_two_slices_is_seen(cut) -> None:
    document = b'["' + b"x" * ((1 << 20) + cut) + b'",1e999]'
    assert documents.look(document).numbers
    assert _complaint(document, documents.SUSPECT) == "number_out_of_range"
