"""Declared places for what rooms above add."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from observatory.extensions import Additions, Slot


def test_additions_keep_their_order_and_take_each_part_once() -> None:
    place = Additions[str]()
    for part in ("b", "a", "b"):
        place.add(part)
    assert list(place) == ["b", "a"]


def test_a_slot_takes_one_part_and_says_what_is_missing() -> None:
    slot = Slot[str]("where judgements are stored")
    with pytest.raises(ImproperlyConfigured, match="no room has registered where judgements"):
        slot.get()
    slot.fill("here")
    slot.fill("here")  # apps may start twice, as the autoreloader does
    with pytest.raises(ImproperlyConfigured, match="two rooms have registered"):
        slot.fill("there")
    assert slot.get() == "here"
