"""Arithmetic: the splits of an example, an ordered set of names that is never empty."""

from __future__ import annotations

from collections.abc import Sequence

BASE = "base"


def normalised(split: str | Sequence[str] | None) -> list[str]:
    """Return the names of `split` once each, in order; `base` if there are none."""
    names = [split] if isinstance(split, str) else list(split or [])
    return list(dict.fromkeys(name for name in names if name)) or [BASE]


def changed(splits: Sequence[str], name: str, *, is_removed: bool) -> list[str]:
    """Return `splits` with `name` added or removed. Adding a split leaves `base`."""
    rest = [split for split in splits if split != name]
    if is_removed:
        return normalised(rest)
    return normalised([*(split for split in rest if split != BASE), name])
