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
    Rating,
    Review,
    ReviewDraft,
    Seat,
)
from annotations.models.routing import (
    RoutingDecision,
    RoutingRule,
    RuleVersion,
)

__all__ = [
    "AnnotationQueue",
    "AskedQuestions",
    "Bookmark",
    "Deferral",
    "GoldAnswer",
    "QueueItem",
    "Rating",
    "Review",
    "ReviewDraft",
    "RoutingDecision",
    "RoutingRule",
    "RubricItem",
    "RubricVersion",
    "RuleVersion",
    "Seat",
]
