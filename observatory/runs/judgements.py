"""Where filters, searches and rules find the feedback of runs.

Runs do not know that table: the feedback room registers it when it starts
(`observatory.feedback.apps`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from observatory.extensions import Slot


@dataclass(frozen=True)
class Relation:
    """A table or view of feedback in SQL, and which of its rows count.

    `name` has the columns id (in the order of arrival), workspace_id, project_id, run_id,
    run_start_time, is_root (null until the run is stored), key, score (float8), value (jsonb),
    comment, source_type (text) and modified_at. An index on (project_id, key, run_start_time,
    run_id) keeps filters that name a key fast. `counts` is a condition over a row called `judged`.
    """

    name: str
    counts: str


RELATION: Final = Slot[Relation]("where judgements of runs are stored")
