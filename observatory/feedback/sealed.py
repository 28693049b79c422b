"""Which feedback may be read: all of it but the answers that blind reviewing still hides.

A row of `feedback_feedback` is sealed while it answers an item of a blind queue that other
reviewers have yet to judge. `annotations.blindness` decides that, and opens it once the item is
settled. All code that reads feedback for others than its author uses this condition:
lists, filters, figures, orders, rules, shares and exports (promise C4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from observatory.db import prepared


def readable(alias: str = "feedback_feedback") -> str:
    """Return the condition, in SQL, that a row of feedback under `alias` may be read."""
    return f"NOT {alias}.is_sealed"


def seal(condition: str, parameters: Mapping[str, Any]) -> list[int]:
    """Seal the readable feedback `f` that meets the SQL `condition`; return its internal ids."""
    with prepared.cursor() as cursor:
        cursor.execute(
            "UPDATE feedback_feedback f SET is_sealed = true"
            f" WHERE NOT f.is_sealed AND {condition} RETURNING f.id",
            parameters,
        )
        return [pk for (pk,) in cursor.fetchall()]


def toggle(condition: str, parameters: Mapping[str, Any]) -> list[tuple[UUID | None, bool]]:
    """Flip `is_sealed` of the feedback `f` that meets the SQL `condition`.

    Return the run of each row that changed (None: of a whole project) and whether it is sealed
    now. Call it in the transaction that changed what the condition reads.
    """
    with prepared.cursor() as cursor:
        cursor.execute(
            "UPDATE feedback_feedback f SET is_sealed = NOT f.is_sealed"
            f" WHERE {condition} RETURNING f.run_id, f.is_sealed",
            parameters,
        )
        return list(cursor.fetchall())
