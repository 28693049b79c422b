"""Gold items, and reviewers' accuracy on them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypedDict
from uuid import UUID

from msgspec import Meta

from observatory.api.kit.bodies import Body, Prose
from observatory.api.kit.types import Object
from observatory.api.queues.members import Document


class GoldSet(Body, kw_only=True):
    """The expected answers of a gold item, by feedback key, and why they are right."""

    answers: Document
    reason: Annotated[Prose, Meta(max_length=2_000)] = ""


class GoldItem(TypedDict):
    """A gold item: its expected answers, and how many reviewers gave all of them."""

    item_id: UUID
    run_id: UUID
    version: int
    answers: Object
    reason: str
    n_answers: int
    n_right: int
    is_questionable: bool


class GoldAnswer(TypedDict):
    """A version of the expected answers of an item."""

    item_id: UUID
    version: int
    answers: Object
    reason: str
    created_at: datetime


class GoldAccuracy(TypedDict):
    """How often a reviewer was right on gold items; `feedback_key` null: on whole items."""

    reviewer: str
    feedback_key: str | None
    n_answers: int
    n_right: int
    low: float
    high: float
    is_flagged: bool


class Drift(TypedDict):
    """A change of a reviewer's answers; `feedback_key` null: of their pace, in seconds."""

    reviewer: str
    feedback_key: str | None
    kind: Literal["agreement", "label_mix", "pace"]
    before: float | None
    after: float | None
    n_before: int
    n_after: int
    p_value: float
    raised_at: datetime


class Quality(TypedDict):
    """The gold items of a queue, each reviewer's accuracy on them, and changes not yet noted."""

    gold_rate: float
    target: float
    items: list[GoldItem]
    reviewers: list[GoldAccuracy]
    by_key: list[GoldAccuracy]
    drift: list[Drift]


class QualityChange(Body, kw_only=True):
    """The share of a reviewer's items that are gold."""

    gold_rate: Annotated[float, Meta(ge=0, le=1)]
