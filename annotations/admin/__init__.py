"""Admin of queues, rules, items and reviews.

Every action calls the verb that pages call. Must not show answers that are still hidden.
"""

from annotations.admin.items import QueueItemAdmin, ReviewAdmin
from annotations.admin.quality import DriftAlarmAdmin, GoldAnswerAdmin
from annotations.admin.queues import QUEUE_INLINES, AnnotationQueueAdmin
from annotations.admin.rules import RoutingRuleAdmin

__all__ = [
    "QUEUE_INLINES",
    "AnnotationQueueAdmin",
    "DriftAlarmAdmin",
    "GoldAnswerAdmin",
    "QueueItemAdmin",
    "ReviewAdmin",
    "RoutingRuleAdmin",
]
