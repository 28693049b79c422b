"""Opaque cursors: what a client hands back is what it was given, or is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory import cursors


@given(st.binary(max_size=200))
def test_a_cursor_holds_the_place_and_needs_no_escaping(place) -> None:
    cursor = cursors.encode(place)
    assert cursors.decode(cursor) == place
    assert not set(cursor) & set("+/&?#% ")


@pytest.mark.parametrize("cursor", ["x", "é", "a b=", "A" * 2_004])
def test_an_unknown_cursor_is_refused(cursor) -> None:
    with pytest.raises(cursors.BadCursor, match="send the cursor of an earlier answer"):
        cursors.decode(cursor)
