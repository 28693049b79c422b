"""Known-bad variants of the code: each breaks one promise, and the tests must notice.

A promise counts only while a test would turn red without it. A `Variant` replaces one piece of
text in one file; `python -m tests.teeth` applies each to a copy of the checkout and demands that
the tests it names fail. The nightly run does that for all of them; `test_variants.py` checks in
every run that each still applies, so that a change of the code takes its variants along.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to break a promise.

    `promise` is its id (A1 to L6). `breaks` says what goes wrong with it. `old` stands exactly
    once in `file` (a path from the project's root) and becomes `new`. `tests` are the node ids, or
    files, of which at least one must fail then. `is_migration`: the test database must be built
    anew, because a migration changes.
    """

    promise: str
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    is_migration: bool = False
