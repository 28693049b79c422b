"""The rows of a trace, whatever arrived of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from observatory.web.traces import arrange

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Step:
    id: UUID
    parent_run_id: UUID | None = None
    name: str | None = "step"
    run_type: str | None = "chain"
    status: str = "success"
    start_time: datetime | None = NOON
    end_time: datetime | None = None
    latency_s: float | None = None
    dotted_order: str | None = None


def ident(number: int) -> UUID:
    return UUID(int=number)


def test_children_follow_their_parent_in_the_order_they_began() -> None:
    late, early = NOON + timedelta(seconds=2), NOON + timedelta(seconds=1)
    spans = arrange(
        [
            Step(ident(3), ident(1), start_time=late),
            Step(ident(2), ident(1), start_time=early),
            Step(ident(4), ident(2), start_time=early),
            Step(ident(1), end_time=NOON + timedelta(seconds=4)),
        ]
    )
    assert [(span.id.int, span.level, span.position, span.set_size) for span in spans] == [
        (1, 1, 1, 1),
        (2, 2, 1, 2),
        (4, 3, 1, 1),
        (3, 2, 2, 2),
    ]
    assert [span.x for span in spans] == ["0.00", "25.00", "25.00", "50.00"]
    assert spans[0].width == "100.00"


def test_a_step_without_its_parent_is_a_marked_root() -> None:
    (span,) = arrange([Step(ident(2), ident(9))])
    assert (span.level, span.is_orphan) == (1, True)


@given(
    st.lists(
        st.tuples(st.integers(1, 8), st.none() | st.integers(1, 9)),
        max_size=8,
        unique_by=lambda pair: pair[0],
    )
)
def test_every_step_is_drawn_once_even_in_a_cycle(pairs) -> None:
    steps = [Step(ident(own), None if parent is None else ident(parent)) for own, parent in pairs]
    spans = arrange(steps)
    assert sorted(span.id.int for span in spans) == sorted(own for own, _ in pairs)
    for span in spans:
        assert 0 <= float(span.x) <= 100
        assert float(span.x) + float(span.width) <= 100.01
