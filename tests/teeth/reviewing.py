"""Variants that break the promises on reviewing (C1 to C9)."""

from tests.teeth import Variant

VARIANTS = [
    Variant(
        promise="C1",
        breaks="reviewers who ask at once may be given one seat",
        file="annotations/sql/reserve_next.sql",
        old="""              AND {is_claimable} AND {is_undeferred}
            ORDER BY s.item_id, s.number LIMIT 1 FOR UPDATE OF s SKIP LOCKED;
            EXIT WHEN chosen IS NOT NULL;
        END LOOP;""",
        new="""              AND {is_claimable} AND {is_undeferred}
            ORDER BY s.item_id, s.number LIMIT 1;
            EXIT WHEN chosen IS NOT NULL;
        END LOOP;""",
        tests=("tests/annotations/test_review_races.py",),
        is_migration=True,
    ),
    Variant(
        promise="C2",
        breaks="a review that is sent twice is refused the second time",
        file="annotations/reviewing/reviews.py",
        old="        if earlier.submission_id == submission.submission_id:\n",
        new="        if False:\n",
        tests=("tests/annotations/test_reviews.py",),
    ),
    Variant(
        promise="C3",
        breaks="of two tabs the later autosave silently replaces the other's text",
        file="annotations/reviewing/drafts.py",
        old="(version = %(version)s OR {_IS_MINE})",
        new="(true OR version = %(version)s)",
        tests=("tests/annotations/test_drafts.py",),
    ),
    Variant(
        promise="C4",
        breaks="answers on open blind items are stored unsealed",
        file="annotations/reviewing/recording.py",
        old="is_sealed = item.queue.is_blind and item.is_reviewable and not completes",
        new="is_sealed = False",
        tests=("tests/annotations/test_blindness.py",),
    ),
    Variant(
        promise="C4",
        breaks="rules, filters and figures read sealed answers",
        file="observatory/feedback/sealed.py",
        old='return f"NOT {alias}.is_sealed"',
        new='return f"{alias}.id IS NOT NULL"',
        tests=("tests/web/test_compare.py", "tests/annotations/test_blindness.py"),
    ),
    Variant(
        promise="C4",
        breaks="an API key reads sealed answers",
        file="observatory/api/feedback/feedback.py",
        old="    return rows.filter(Q(is_sealed=False) | Q(api_key=key, review_uuid=None))\n",
        new="    return rows\n",
        tests=("tests/annotations/test_blindness.py", "tests/api/test_feedback_of_reviews.py"),
    ),
    Variant(
        promise="C4",
        breaks="agreement counts the answers on open blind items",
        file="annotations/queues/blindness.py",
        old='    is_completed = Q(**{f"{item}__state": QueueItem.State.COMPLETED})\n',
        new='    is_completed = Q(**{f"{item}__isnull": False})\n',
        tests=("tests/annotations/test_blindness.py",),
    ),
    Variant(
        promise="C5",
        breaks="a version that has been stored can be edited",
        file="datasets_app/migrations/0002_what_is_stored_is_never_edited.py",
        old="    RAISE EXCEPTION 'a stored version of a dataset is never edited'\n"
        "        USING ERRCODE = 'integrity_constraint_violation';\n",
        new="    RETURN NEW;\n",
        tests=("tests/datasets/test_examples.py",),
        is_migration=True,
    ),
    Variant(
        promise="C5",
        breaks="an item that is completed is harvested again and again",
        file="datasets_app/harvest.py",
        old="        Q(harvested=None)\n",
        new="        Q(pk__isnull=False)\n",
        tests=("tests/datasets/test_harvest.py",),
    ),
    Variant(
        promise="C6",
        breaks="weights go by another scale than the declared one",
        file="annotations/agreement/coefficients.py",
        old="position[None, :]) / (k - 1)",
        new="position[None, :]) / k",
        tests=("tests/annotations/test_agreement.py",),
    ),
    Variant(
        promise="C6",
        breaks="of three reviewers another statistic is the headline than of two",
        file="annotations/agreement/calibration.py",
        old='headline = statistics.get(queue.gate_statistic, statistics["alpha"])',
        new='headline = statistics["alpha"]',
        tests=("tests/annotations/test_calibration.py",),
    ),
    Variant(
        promise="C7",
        breaks="what was not seen among a few items counts as impossible",
        file="annotations/agreement/intervals.py",
        old="PRIOR_ITEMS = 5.0",
        new="PRIOR_ITEMS = 0.001",
        tests=("tests/annotations/test_intervals.py",),
    ),
    Variant(
        promise="C7",
        breaks="a verdict compares a bound that holds for one look only",
        file="annotations/agreement/looks.py",
        old="return Z * math.sqrt(math.sqrt(HORIZON / n))",
        new="return 1.645",
        tests=("tests/annotations/test_intervals.py",),
    ),
    Variant(
        promise="C8",
        breaks="answers on gold items take seats, count and complete the item",
        file="annotations/reviewing/recording.py",
        old='"is_open": item.state == QueueItem.State.OPEN,',
        new='"is_open": item.is_reviewable,',
        tests=("tests/annotations/test_gold.py",),
    ),
    Variant(
        promise="C8",
        breaks="a gold item is shown as one",
        file="annotations/models/queues.py",
        old="return self.State.OPEN if self.state == self.State.GOLD else self.state",
        new="return self.state",
        tests=("tests/annotations/test_gold.py",),
    ),
    Variant(
        promise="C8",
        breaks="harder items are taken for a worse reviewer",
        file="annotations/quality/drift.py",
        old="    rates = (right / (right + wrong))[new]\n",
        new="    new = np.zeros_like(new)\n    rates = (right / (right + wrong))[new]\n",
        tests=("tests/annotations/test_drift.py",),
    ),
    Variant(
        promise="C9",
        breaks="training data is exported although agreement is not proven",
        file="datasets_app/training_exports.py",
        old="    unmet = [condition for condition in conditions if not condition.is_met]\n",
        new="    unmet: list[Condition] = []\n",
        tests=("tests/datasets/test_training_exports.py",),
    ),
    Variant(
        promise="C9",
        breaks="the value of agreement, not its lower bound, opens the gate of an export",
        file="datasets_app/export_gates.py",
        old="        is_met=gate.passes_strict,\n",
        new="        is_met=gate.value is not None and gate.value > gate.target,\n",
        tests=("tests/datasets/test_training_exports.py",),
    ),
]
