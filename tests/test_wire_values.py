"""Single values of the wire: what PostgreSQL can store, and times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.wire_values import clean_text, is_storable, parse_time

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@given(st.text(st.characters()))
def test_a_cleaned_text_is_storable_and_a_storable_text_stays(text) -> None:
    assert is_storable(clean_text(text))
    assert len(clean_text(text)) == len(text)
    assert (clean_text(text) == text) == is_storable(text)


def test_nul_and_lone_surrogates_become_the_replacement_character() -> None:
    assert clean_text("a\x00b\ud800c") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"


@pytest.mark.parametrize(
    "value",
    ["2026-11-20T12:00:00Z", "2026-11-20 12:00", "2026-11-20T13:00:00+01:00", 1795176000000],
)
def test_times_are_iso_8601_or_epoch_milliseconds(value) -> None:
    assert parse_time(value) == NOON


@pytest.mark.parametrize("value", ["noon", "", True, None, [], 10**20, float("nan"), "0000-01-01"])
def test_an_invalid_time_is_an_error(value) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(value)
