"""Agreement on the questions of a queue, as the wire shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypedDict

from msgspec import Meta

from observatory.api.kit.bodies import Query
from observatory.api.kit.types import Object


class AgreementQuery(Query):
    """Query parameters of GET /annotation-queues/{id}/agreement."""

    days: Annotated[int, Meta(ge=1, le=3_650, description="Leave out older ratings")] | None = None


class AgreementInterval(TypedDict):
    """The interval of a coefficient: its ends, its one-sided bounds, and how it was computed."""

    low: float
    high: float
    lower: float
    upper: float
    centre: float
    se: float
    method: str
    level: float
    seed: int | None


class Agreement(TypedDict):
    """A coefficient with everything needed to read it. `reason` says why there is no value."""

    statistic: str
    value: float | None
    reason: str | None
    n_items: int
    n_ratings: int
    n_overlap: int
    ci: AgreementInterval | None
    se: float | None
    percent_agreement: float | None
    companions: dict[str, float | None]
    warnings: list[str]
    params: Object
    data_version: str
    computed_at: datetime | None


class AgreementOfPair(TypedDict):
    """Two reviewers on one question: `table[i][j]` counts i by the first and j by the second."""

    reviewers: list[str]
    agreement: Agreement
    table: list[list[int]] | None
    mean_difference: float | None


class AgreementGate(TypedDict):
    """Whether the bounds of the headline, which allow for repeated looks, are above the target.

    `n_more` is about how many more items rated by two would decide.
    """

    statistic: str
    target: float
    lower_bound: float | None
    upper_bound: float | None
    confidence: float
    n_items: int
    n_more: int | None
    verdict: Literal["undefined", "few", "met", "below", "open"]


class AgreementOnCategory(TypedDict):
    """One category against the others: Fleiss's kappa, and how often another reviewer agrees."""

    label: str
    share: float
    kappa: float | None
    ci: AgreementInterval | None
    specific: float | None


class ExcludedRatings(TypedDict):
    """How many answers were not compared, by reason."""

    other_scale: int
    not_blind: int
    invalid: int
    before_window: int
    removed: int
    cant_judge: int
    not_of_a_reviewer: int


class AgreementOnKey(TypedDict):
    """The agreement on one question of a rubric."""

    feedback_key: str
    categories: list[str]
    reviewers: list[str]
    headline: Agreement
    group: Agreement
    statistics: list[Agreement]
    by_category: list[AgreementOnCategory]
    pairs: list[AgreementOfPair]
    gate: AgreementGate
    excluded: ExcludedRatings
    n_disputed: int
    sentence: str
