"""Admin of queues, rules, items and reviews. Every action calls the verb that pages call."""

from annotations.admin.items import QueueItemAdmin, ReviewAdmin
from annotations.admin.queues import AnnotationQueueAdmin
from annotations.admin.rules import RoutingRuleAdmin

__all__ = ["AnnotationQueueAdmin", "QueueItemAdmin", "ReviewAdmin", "RoutingRuleAdmin"]
