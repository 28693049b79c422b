"""How experiments differ from the first of them, on the examples that both ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datasets_app import experiment_scores, paired
from datasets_app.models import Dataset
from datasets_app.paired import Paired
from observatory.feedback.models import FeedbackConfig
from observatory.runs.models import Project


@dataclass(frozen=True, slots=True)
class Difference:
    """A candidate against the baseline under one key.

    `p_value` is adjusted by Holm's method for all differences of the comparison, `word` follows
    from it (`paired.word`).
    """

    candidate: Project
    key: str
    paired: Paired
    p_value: float | None
    word: str


@dataclass(frozen=True, slots=True)
class Differences:
    """The differences of all candidates under all keys, regressions first.

    `n_keys` also counts keys beyond `experiment_scores.MAX_KEYS`, which are not compared.
    `n_failed` counts the runs of these experiments that failed: without a score, they are in no
    pair.
    """

    baseline: Project
    rows: list[Difference]
    n_keys: int
    n_failed: int


_ORDER = {"REGRESSED": 0, "IMPROVED": 1, "NEUTRAL": 2, "insufficient_data": 3}


def from_first(dataset: Dataset, projects: Sequence[Project]) -> Differences:
    """Compare every project but the first with the first, by example, under every key they share.

    An example counts once, with the mean over its repetitions. `projects` are experiments of
    `dataset`, two or more. Two queries. Raises search.TooSlow.
    """
    scores = experiment_scores.read(dataset, projects)
    lower = set(
        FeedbackConfig.objects.filter(
            workspace_id=dataset.workspace_id, key__in=scores.by_key, is_lower_score_better=True
        ).values_list("key", flat=True)
    )
    compared: list[tuple[Project, str, Paired]] = []
    for key in scores.by_key:
        means = scores.means(key)
        for row, candidate in enumerate(projects[1:], 1):
            result = paired.compare(means[0], means[row], is_lower_better=key in lower)
            if result.n:
                compared.append((candidate, key, result))
    tested = [result.p_value for _, _, result in compared if result.p_value is not None]
    adjusted = iter(paired.holm(tested))
    rows = []
    for candidate, key, result in compared:
        p_value = None if result.p_value is None else next(adjusted)
        rows.append(Difference(candidate, key, result, p_value, paired.word(result, p_value)))
    rows.sort(key=lambda row: (_ORDER[row.word], row.key, row.candidate.pk))
    return Differences(projects[0], rows, scores.n_keys, int(scores.n_failed.sum()))
