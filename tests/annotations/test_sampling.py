"""B2: decisions are deterministic, and probabilities are what they say."""

from __future__ import annotations

import math
from fractions import Fraction
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations.routing import sampling

RATES = st.floats(0, 1, allow_nan=False)


@pytest.mark.parametrize(
    ("rule", "run", "expected"),
    [
        (UUID(int=0), UUID(int=0), 0.40003172633476924),
        (
            UUID("11111111-2222-3333-4444-555555555555"),
            UUID("66666666-7777-8888-9999-aaaaaaaaaaaa"),
            0.07642596703864313,
        ),
        (
            UUID("8f14e45f-ceea-467f-9d5f-1e0f8a3c2b10"),
            UUID("6b86b273-ff34-4ce1-9d6b-804eff5a3f57"),
            0.21236336810359346,
        ),
    ],
)
def test_b2_the_draw_is_the_published_one_in_every_release(rule, run, expected) -> None:
    assert sampling.draw(rule, run) == expected
    assert repr(expected) in (sampling.__doc__ or "")


@given(st.uuids(), st.uuids())
def test_a_draw_is_at_least_0_and_below_1(rule, run) -> None:
    assert 0 <= sampling.draw(rule, run) < 1


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.9])
def test_the_share_taken_is_the_sampling_rate(rate) -> None:
    rule, n = UUID(int=7), 20_000
    taken = sum(sampling.is_selected(rule, uuid5(rule, str(i)), rate) for i in range(n))
    assert abs(taken / n - rate) < 4 * math.sqrt(rate * (1 - rate) / n)


def test_two_rules_draw_independently() -> None:
    n = 20_000
    runs = [uuid5(UUID(int=3), str(i)) for i in range(n)]
    both = sum(
        sampling.draw(UUID(int=1), r) < 0.5 and sampling.draw(UUID(int=2), r) < 0.5 for r in runs
    )
    assert abs(both / n - 0.25) < 0.015


@given(st.uuids(), st.uuids(), RATES, RATES)
def test_a_higher_rate_never_drops_a_run(rule, run, one, other) -> None:
    low, high = sorted([one, other])
    assert sampling.is_selected(rule, run, low) <= sampling.is_selected(rule, run, high)


@given(st.uuids(), st.uuids())
def test_rate_0_takes_none_and_rate_1_takes_all(rule, run) -> None:
    assert not sampling.is_selected(rule, run, 0)
    assert sampling.is_selected(rule, run, 1)


@given(st.lists(RATES, max_size=8))
@settings(max_examples=200)
def test_the_inclusion_probability_is_one_minus_that_no_rule_takes_the_run(rates) -> None:
    exact = 1 - math.prod((1 - Fraction(rate) for rate in rates), start=Fraction(1))
    found = sampling.inclusion_probability(rates)
    assert 0 <= found <= 1
    assert math.isclose(found, float(exact), rel_tol=1e-12, abs_tol=1e-300)


def test_the_probability_agrees_with_simulated_sampling() -> None:
    rates = {UUID(int=1): 0.1, UUID(int=2): 0.3}
    n = 20_000
    taken = sum(
        any(
            sampling.is_selected(rule, uuid5(UUID(int=9), str(i)), rate)
            for rule, rate in rates.items()
        )
        for i in range(n)
    )
    assert abs(taken / n - sampling.inclusion_probability(rates.values())) < 0.015


@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan, math.inf])
def test_a_fraction_outside_zero_to_one_is_refused(rate) -> None:
    with pytest.raises(ValueError, match="share"):
        sampling.inclusion_probability([rate])
    with pytest.raises(ValueError, match="share"):
        sampling.is_selected(UUID(int=0), UUID(int=0), rate)
