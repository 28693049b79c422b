"""Reviews of the two demo reviewers: mostly right, sometimes wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from annotations.models import AnnotationQueue, Deferral, QueueItem
from annotations.reviewing import reviews
from annotations.reviewing.reviews import Submission
from observatory.console.demo.traces import PARTLY, RIGHT, WRONG, DemoTrace
from observatory.workspaces.models import User

N_DOUBLE = 120
N_SINGLE = 24
N_SKIPPED = 5

INSTRUCTIONS = """\
You review answers of the support assistant of **Meridian Goods**.

1. Read the question, then the answer. The documents it had are in the trace, under
   `search-knowledge-base`.
2. **Correctness** counts most. An answer is *wrong* if following it would harm the customer or
   us, *partly right* if something needed is missing.
3. If it is not right, correct it: write what should have been sent, as short as you can.
4. When in doubt, say that you can't judge; don't guess.
"""

RUBRIC: list[dict[str, Any]] = [
    {
        "feedback_key": "correctness",
        "title": "Correctness",
        "description": "Would the customer be right to follow the answer?",
        "kind": "categorical",
        "level": "ordinal",
        "is_required": True,
        "categories": [
            {"value": 0, "label": "Wrong", "description": "False or harmful if followed"},
            {"value": 1, "label": "Partly right", "description": "True, but something is missing"},
            {"value": 2, "label": "Right", "description": "True and complete"},
        ],
    },
    {
        "feedback_key": "tone",
        "title": "Tone",
        "description": "Friendly and to the point, as our style guide has it",
        "kind": "categorical",
        "level": "ordinal",
        "is_required": True,
        "categories": [
            {"value": 0, "label": "Rude", "description": "A customer would feel talked down to"},
            {"value": 1, "label": "Plain", "description": "Correct, but cold"},
            {"value": 2, "label": "Friendly", "description": "As it should be"},
        ],
    },
    {
        "feedback_key": "failure",
        "title": "Failure",
        "description": "The one thing that is most wrong, if anything is",
        "kind": "categorical",
        "level": "nominal",
        "categories": [
            {"value": 0, "label": "none"},
            {"value": 1, "label": "wrong fact"},
            {"value": 2, "label": "incomplete"},
            {"value": 3, "label": "wrong tone"},
            {"value": 4, "label": "made up"},
        ],
    },
    {
        "feedback_key": "helpful",
        "title": "Helpful",
        "description": "Does it bring the customer forward?",
        "kind": "boolean",
        "level": "nominal",
        "is_required": True,
    },
    {
        "feedback_key": "remark",
        "title": "Remark",
        "description": "Anything the team should know",
        "kind": "freeform",
        "level": "text",
    },
]
_REMARKS = {
    WRONG: ("Contradicts the policy page.", "Please fix the prompt, we see this a lot.", ""),
    PARTLY: ("Leaves out the deadline.", "True, but useless without the next step.", ""),
    RIGHT: ("Good one.", "", "", ""),
}


@dataclass(frozen=True)
class Character:
    """How a reviewer errs.

    `accuracy` of the answers, `strictness` how often a mistake is towards the worse, `corrects` how
    often they correct a bad answer.
    """

    username: str
    first_name: str
    accuracy: float
    strictness: float
    corrects: float


ADA = Character("ada-demo", "Ada", accuracy=0.87, strictness=0.5, corrects=0.75)
GRACE = Character("grace-demo", "Grace", accuracy=0.79, strictness=0.8, corrects=0.45)


def review_all(
    queue: AnnotationQueue,
    people: Mapping[str, User],
    traces: Mapping[UUID, DemoTrace],
    *,
    seed: int,
    now: datetime,
) -> Iterator[int]:
    """Submit the demo's reviews in the order in which they happened; yield how many so far.

    Items of the last day and many of the others stay open for visitors of the demo.
    """
    dice = random.Random(f"{seed}-reviews")  # noqa: S311
    items = [
        item
        for item in queue.items.filter(state=QueueItem.State.OPEN).order_by("run_id")
        if item.run_id in traces and traces[item.run_id].ended_at < now - timedelta(days=1)
    ]
    dice.shuffle(items)
    double, rest = items[:N_DOUBLE], items[N_DOUBLE:]
    single, rest = rest[:N_SINGLE], rest[N_SINGLE:]
    plan = [(item, who) for item in double for who in (ADA, GRACE)]
    plan += [(item, ADA if number % 3 else GRACE) for number, item in enumerate(single)]
    timed = sorted(
        ((_moment(dice, traces[item.run_id], now), item, who) for item, who in plan),
        key=lambda each: each[0],
    )
    for number, (at, item, who) in enumerate(timed, start=1):
        item.queue = queue
        mood = random.Random(f"{seed}-{item.run_id}-{who.username}")  # noqa: S311
        submission = _judge(mood, who, item, traces[item.run_id])
        reviews.submit(item, people[who.username], submission, at)
        if number % 25 == 0:
            yield number
    for item in rest[:N_SKIPPED]:
        item.queue = queue
        reviews.skip(item, people[GRACE.username], Deferral.Reason.NOT_MY_FIELD, now)
    yield len(timed)


def _moment(dice: random.Random, trace: DemoTrace, now: datetime) -> datetime:
    """Return when a reviewer got to the trace: some hours later, within working hours."""
    at = trace.ended_at + timedelta(hours=2 + 30 * dice.random())
    at = at.replace(hour=8 + int(9 * dice.random()), minute=dice.randrange(60))
    return min(max(at, trace.ended_at + timedelta(minutes=5)), now - timedelta(minutes=1))


def _judge(dice: random.Random, who: Character, item: QueueItem, trace: DemoTrace) -> Submission:
    """Return the review of a trace by `who`."""
    dwell_ms = int(1000 * min(600, 18 * dice.lognormvariate(0, 0.6)))
    submission_id = uuid5(item.uuid, who.username)
    if trace.quality is None:
        unclear = {"cant_judge": "The run failed, there is no answer."}
        scores: dict[str, Any] = {
            "correctness": unclear,
            "tone": unclear,
            "helpful": {"value": False},
        }
        return Submission(submission_id=submission_id, scores=scores, dwell_ms=dwell_ms)
    seen = _seen(dice, who, trace.quality)
    scores = {
        "correctness": {"score": seen},
        "tone": {"score": _tone(dice, who, trace.is_rude)},
        "failure": {"score": _failure(dice, seen, trace.is_rude)},
        "helpful": {"value": dice.random() < ((0.04, 0.55, 0.97)[seen])},
    }
    remark = dice.choice(_REMARKS[seen])
    if remark:
        scores["remark"] = {"value": remark}
    correction = None
    if seen != RIGHT and trace.quality != RIGHT and dice.random() < who.corrects:
        correction = {"outputs": {**(trace.outputs or {}), "answer": trace.best_answer}}
    return Submission(
        submission_id=submission_id, scores=scores, correction=correction, dwell_ms=dwell_ms
    )


def _seen(dice: random.Random, who: Character, quality: int) -> int:
    """Return the quality that `who` sees: mostly the true one, at times far off."""
    if dice.random() < who.accuracy:
        return quality
    step = 2 if dice.random() < 0.3 else 1
    worse = quality - step if dice.random() < who.strictness else quality + step
    return min(RIGHT, max(WRONG, worse))


def _tone(dice: random.Random, who: Character, is_rude: bool) -> int:
    draw = dice.random()
    if is_rude:
        return 0 if draw < who.accuracy else 1
    return 2 if draw < 0.95 else 1


def _failure(dice: random.Random, seen: int, is_rude: bool) -> int:
    if is_rude and dice.random() < 0.7:
        return 3
    if seen == WRONG:
        return dice.choices([1, 4], [3, 2])[0]
    return 2 if seen == PARTLY else 0
