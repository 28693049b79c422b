"""The tree of a trace, whole and with holes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from observatory.runs import tree

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Step:
    id: UUID
    parent_run_id: UUID | None = None
    start_time: datetime | None = NOON
    dotted_order: str | None = None


def _id(number: int) -> UUID:
    return UUID(int=number)


def test_children_hang_below_their_parent_in_execution_order() -> None:
    root = Step(_id(1))
    late = Step(_id(2), root.id, NOON + timedelta(seconds=2))
    early = Step(_id(3), root.id, NOON + timedelta(seconds=1))
    grandchild = Step(_id(4), late.id, NOON + timedelta(seconds=3))
    (top,) = tree.assemble([grandchild, late, early, root])
    assert [(b.run.id, b.depth) for b in tree.flatten([top])] == [
        (root.id, 0),
        (early.id, 1),
        (late.id, 1),
        (grandchild.id, 2),
    ]
    assert not any(b.is_orphan for b in tree.flatten([top]))


def test_a_run_with_a_missing_parent_is_shown_below_the_root_and_marked() -> None:
    root, lost = Step(_id(1)), Step(_id(2), _id(99))
    below = Step(_id(3), lost.id)
    (top,) = tree.assemble([lost, below, root])
    assert [(b.run.id, b.depth, b.is_orphan) for b in tree.flatten([top])] == [
        (root.id, 0, False),
        (lost.id, 1, True),
        (below.id, 2, False),
    ]


def test_runs_without_any_root_stand_side_by_side() -> None:
    roots = tree.assemble([Step(_id(1), _id(98)), Step(_id(2), _id(99))])
    assert [(b.run.id, b.is_orphan) for b in roots] == [(_id(1), True), (_id(2), True)]


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.lists(st.one_of(st.none(), st.integers(0, n)), min_size=n, max_size=n)
    ),
    st.randoms(use_true_random=False),
)
def test_every_run_is_placed_once_even_in_a_circle_of_parents(parents, random) -> None:
    steps = [
        Step(_id(number + 1), None if parent is None else _id(parent + 1))
        for number, parent in enumerate(parents)
    ]
    random.shuffle(steps)
    branches = list(tree.flatten(tree.assemble(steps)))
    assert sorted(b.run.id for b in branches) == sorted(step.id for step in steps)
    here = {step.id for step in steps}
    for branch in branches:
        assert branch.is_orphan or branch.run.parent_run_id in {None, *here}
        for child in branch.children:
            assert child.depth == branch.depth + 1
            assert child.is_orphan or child.run.parent_run_id == branch.run.id


def test_a_very_deep_trace_is_assembled() -> None:
    steps = [Step(_id(n + 1), _id(n) if n else None) for n in range(20_000)]
    assert max(b.depth for b in tree.flatten(tree.assemble(steps))) == 19_999


def test_dotted_order_names_the_runs_above() -> None:
    root, child = uuid4(), uuid4()
    path = f"{tree.segment(NOON, root)}.{tree.segment(NOON, child)}"
    assert path.startswith("20261120T120000000000Z")
    assert tree.path_ids(path) == [root]
    assert tree.path_ids(tree.segment(NOON, root)) == []
    assert tree.path_ids(None, root) == [root]
    assert tree.path_ids("rubbish.x", root) == [root]
