"""How far LLM judges agree with the consensus of people, on the same items and key.

A judge's answer is feedback from a model (`source_type` model or auto_eval) on the run of an item
under the question's key; the newest of each version of a judge on a run counts. A version is named
by the `evaluator` (or `name`, or `model`) and `version` in its source metadata. The consensus is
the answer of more than half of at least two people whose ratings agreement compares: blind, on the
present scale, of settled items only, so that nothing shows an answer on an item that still waits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.db.models import Count

from annotations.agreement import calibration, coefficients
from annotations.agreement.coefficients import Weighting
from annotations.agreement.results import LEVEL, Agreement
from annotations.models import AnnotationQueue, RubricItem
from annotations.question_kinds import Boolean, kind_of
from observatory.feedback.models import Feedback

MIN_PEOPLE: Final = 2
CUT: Final = 0.5  # a judge's score of a yes-or-no question from here on is a yes
JUDGES: Final = (Feedback.Source.MODEL, Feedback.Source.AUTO_EVAL)
_NAMES: Final = ("evaluator", "name", "model")


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `n`, with the Wilson interval of the share at the level of agreement."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the ends in [0, 1], None without observations.

        Source: E. B. Wilson (1927), J. of the American Statistical Association 22, 209-212.
        """
        from scipy.stats import binomtest  # takes a second to import

        if not self.n:
            return None
        ends = binomtest(self.hits, self.n).proportion_ci(LEVEL, method="wilson")
        return float(ends.low), float(ends.high)


@dataclass(frozen=True, slots=True)
class Consensus:
    """The item of a run and the category on which more than half of its reviewers agree."""

    item_uuid: UUID
    run_id: UUID
    code: int


@dataclass(frozen=True, slots=True)
class Alignment:
    """A version of a judge beside people. `table[i][j]`: people said i and the judge j.

    `sensitivity` (TPR) and `specificity` (TNR) are of questions with two answers, the second being
    the positive one. `disagreements` are the items the judge answered differently.
    """

    judge: str
    agreement: Agreement
    table: tuple[tuple[int, ...], ...]
    sensitivity: Share | None
    specificity: Share | None
    disagreements: tuple[Consensus, ...]
    n_off_scale: int


def align(
    queue: AnnotationQueue, question: RubricItem, *, since: datetime | None = None
) -> list[Alignment]:
    """Return each version of a judge beside the consensus of people, by name.

    Empty for numbers and free text, and without judges. Three statements at most.
    """
    kind = kind_of(question)
    if kind.is_number or not kind.labels(question):
        return []
    judged = Feedback.objects.readable().filter(
        workspace=queue.workspace,
        key=question.feedback_key,
        source_type__in=JUDGES,
        is_error=False,
        score__isnull=False,
    )
    consensus = dict(_consensus(queue, question, judged.values("run_id"), since))
    scores: dict[str, dict[UUID, float]] = defaultdict(dict)
    rows = judged.filter(run_id__in=list(consensus)).order_by("modified_at", "pk")
    for run_id, score, metadata in rows.values_list("run_id", "score", "source_metadata"):
        if run_id is not None and score is not None:  # as filtered; the columns may be null
            scores[version_of(metadata)][run_id] = score
    return [_of_judge(judge, question, scores[judge], consensus) for judge in sorted(scores)]


def version_of(metadata: Any) -> str:
    """Return the name of a judge and its version from the metadata of its feedback."""
    known = metadata if isinstance(metadata, dict) else {}
    name = next((str(known[field]) for field in _NAMES if known.get(field)), "unnamed judge")
    return f"{name} {known['version']}" if known.get("version") else name


def majority(votes: Counter[int]) -> int | None:
    """Return the category of more than half of the votes; None if there is none, or one vote."""
    n_votes = votes.total()
    if n_votes < MIN_PEOPLE:
        return None
    code, n = votes.most_common(1)[0]
    return code if 2 * n > n_votes else None


def _consensus(
    queue: AnnotationQueue, question: RubricItem, runs: Any, since: datetime | None
) -> Iterator[tuple[UUID, Consensus]]:
    counted = (
        calibration.compared(queue, question, since)
        .filter(item__run_id__in=runs)
        .values_list("item__uuid", "item__run_id", "code")
        .annotate(n=Count("id"))
    )
    votes: dict[tuple[UUID, UUID], Counter[int]] = defaultdict(Counter)
    for item_uuid, run_id, code, n in counted:
        votes[item_uuid, run_id][code] = n
    for (item_uuid, run_id), of_item in votes.items():
        code = majority(of_item)
        if code is not None:
            yield run_id, Consensus(item_uuid, run_id, code)


def code_of(question: RubricItem, score: float) -> int | None:
    """Return the place of a judge's score on the declared scale; None if it is not on it."""
    kind = kind_of(question)
    if isinstance(kind, Boolean) and 0 <= score <= 1:
        return int(score >= CUT)
    rated = kind.rate(question, score)
    return rated.code if rated else None


def _of_judge(
    judge: str, question: RubricItem, scores: dict[UUID, float], consensus: dict[UUID, Consensus]
) -> Alignment:
    k = len(kind_of(question).labels(question))
    table = np.zeros((k, k), dtype=np.int64)
    disagreements, n_off_scale = [], 0
    for run_id, score in scores.items():
        people, code = consensus[run_id], code_of(question, score)
        if code is None:
            n_off_scale += 1
            continue
        table[people.code, code] += 1
        if people.code != code:
            disagreements.append(people)
    is_ordered = question.level in {RubricItem.Level.ORDINAL, RubricItem.Level.INTERVAL}
    weighting = Weighting.QUADRATIC if is_ordered else Weighting.UNWEIGHTED
    [agreement] = coefficients.of_pairs(table[None], weighting)
    sensitivity, specificity = _rates(table) if k == 2 else (None, None)
    return Alignment(
        judge=judge,
        agreement=agreement,
        table=tuple(tuple(int(n) for n in row) for row in table),
        sensitivity=sensitivity,
        specificity=specificity,
        disagreements=tuple(disagreements),
        n_off_scale=n_off_scale,
    )


def _rates(table: Iterable[Iterable[int]]) -> tuple[Share, Share]:
    (true_no, false_yes), (false_no, true_yes) = ([int(n) for n in row] for row in table)
    return Share(true_yes, true_yes + false_no), Share(true_no, true_no + false_yes)
