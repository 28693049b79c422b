"""Tables of queues, rubrics, rules, items, seats and reviews.

Shapes and constraints only. Must not import a wing, nor hold what a verb does.
"""

from annotations.models.queues import (
    AnnotationQueue,
    AskedQuestions,
    GoldAnswer,
    QueueItem,
    RubricItem,
    RubricVersion,
)
from annotations.models.reviewing import (
    Bookmark,
    Deferral,
    DriftAlarm,
    Rating,
    Review,
    ReviewDraft,
    Seat,
)
from annotations.models.routing import (
    RoutingDecision,
    RoutingRule,
    RuleDay,
    RuleMatch,
    RuleSwitch,
    RuleVersion,
)
from annotations.models.rule_work import Backfill, BackfillStep, BackTest, RuleWork

__all__ = [
    "AnnotationQueue",
    "AskedQuestions",
    "BackTest",
    "Backfill",
    "BackfillStep",
    "Bookmark",
    "Deferral",
    "DriftAlarm",
    "GoldAnswer",
    "QueueItem",
    "Rating",
    "Review",
    "ReviewDraft",
    "RoutingDecision",
    "RoutingRule",
    "RubricItem",
    "RubricVersion",
    "RuleDay",
    "RuleMatch",
    "RuleSwitch",
    "RuleVersion",
    "RuleWork",
    "Seat",
]
