"""The URLs of this wing; see observatory/api/urls.py."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from observatory.api.feedback import configs, feedback, tokens
from observatory.api.kit.paths import at

v1: list[URLPattern | URLResolver] = [
    at("feedback", feedback.FeedbackCollection, "feedback"),
    at("feedback/batch", feedback.FeedbackBatch, "feedback-batch"),
    at("feedback/tokens", tokens.FeedbackTokens, "feedback-tokens"),
    at("feedback/tokens/(?P<token>[^/]+)", tokens.FeedbackToken, "feedback-token"),
    at("feedback/(?P<feedback_id>[^/]+)", feedback.FeedbackDetail, "feedback-detail"),
    at("feedback-configs", configs.FeedbackConfigs, "feedback-configs"),
]
