"""The known-bad variants follow the code: each can still be applied, each promise has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.teeth.promises import PROMISES, VARIANTS

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: f"{v.promise}-{v.breaks}")
def test_a_variant_can_be_applied_and_names_tests_that_exist(variant) -> None:
    assert (ROOT / variant.file).read_text().count(variant.old) == 1
    assert variant.new != variant.old
    for name in variant.tests:
        file, _, function = name.partition("::")
        text = (ROOT / file).read_text()
        assert not function or f"def {function.partition('[')[0]}(" in text, name


def test_every_promise_has_a_variant() -> None:
    assert {variant.promise for variant in VARIANTS} == PROMISES.keys()
