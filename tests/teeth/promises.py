"""The promises of docs/promises.md, the tests that hold them, and the variants that break them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.teeth import accounts, background, ingestion, operations, rendering, reviewing, tenancy

_ROW = re.compile(r"^\| (?P<number>[A-Z]\d) \| (?P<sentence>[^|]+) \| (?P<last>[^|]+) \|$", re.M)
_DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "promises.md"
_kept, _open = _DOCUMENT.read_text().split("## Not promised yet")

PROMISES = {row["number"]: row["sentence"] for row in _ROW.finditer(_kept)}
TESTS = {row["number"]: re.findall(r"`([^`]+)`", row["last"]) for row in _ROW.finditer(_kept)}
NOT_YET = {row["number"]: row["last"] for row in _ROW.finditer(_open)}
VARIANTS = [
    *ingestion.VARIANTS,
    *background.VARIANTS,
    *reviewing.VARIANTS,
    *tenancy.VARIANTS,
    *rendering.VARIANTS,
    *accounts.VARIANTS,
    *operations.VARIANTS,
]
