"""/feedback-configs: the declared scale of a key, enforced if it says so."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.feedback import schemas as shapes
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
from observatory.feedback import configs
from observatory.feedback.judgement import InvalidFeedback
from observatory.feedback.models import FeedbackConfig
from observatory.workspaces.models import Workspace


def shown(declared: FeedbackConfig, workspace: Workspace) -> dict[str, Any]:
    """Return a declared scale as the wire shows it."""
    return {
        "id": configs.id_of(workspace, declared.key),
        "feedback_key": declared.key,
        "feedback_config": declared.config,
        "tenant_id": workspace.uuid,
        "modified_at": declared.modified_at,
        "is_lower_score_better": declared.is_lower_score_better,
        "is_enforced": declared.is_enforced,
        "is_first": True,  # a key has one scale here, and none is kept that was withdrawn
        "is_deleted": False,
    }


class FeedbackConfigs(WorkspaceView):
    """GET, POST, PATCH and DELETE /feedback-configs, as the SDKs' *_feedback_config do."""

    @endpoint(query=shapes.FeedbackConfigQuery, answer=list[shapes.FeedbackConfig])
    def get(self, request: Request, query: shapes.FeedbackConfigQuery) -> Response:
        declared = FeedbackConfig.objects.filter(workspace=self.workspace).order_by("key")
        if query.key:
            declared = declared.filter(key__in=query.key)
        if query.name_contains:
            declared = declared.filter(key__icontains=query.name_contains)
        if query.is_enforced is not None:
            declared = declared.filter(is_enforced=query.is_enforced)
        return Response([shown(config, self.workspace) for config in declared[query.window]])

    @endpoint(body=shapes.FeedbackConfigCreate, answer=shapes.FeedbackConfig, errors=(409,))
    def post(self, request: Request, body: shapes.FeedbackConfigCreate) -> Response:
        key = body.feedback_key
        try:
            declared = configs.declare(
                self.workspace, key, body.feedback_config, body.flags(), now=timezone.now()
            )
        except configs.ConfigConflict as conflict:
            if conflict.is_enforced:
                raise Conflict(f"feedback_key: {key!r} has an enforced feedback_config") from None
            # 400, as the SDK's create_feedback_config documents it, not 409
            raise ParseError(
                f"feedback_key: {key!r} has another feedback_config already; change it by PATCH"
            ) from None
        return Response(shown(declared, self.workspace))

    @endpoint(body=shapes.FeedbackConfigChange, answer=shapes.FeedbackConfig, errors=(404,))
    def patch(self, request: Request, body: shapes.FeedbackConfigChange) -> Response:
        key = body.feedback_key
        if body.id is not None and body.id != configs.id_of(self.workspace, key):
            raise NotFound("Feedback config not found")
        changes: dict[str, Any] = {**body.flags()}
        if body.feedback_config is not None:
            changes["config"] = body.feedback_config
        try:
            declared = configs.change(
                self.workspace,
                key,
                changes,
                now=timezone.now(),
                added=body.add_categories or [],
                removed=body.remove_categories or [],
            )
        except FeedbackConfig.DoesNotExist:
            raise NotFound("Feedback config not found") from None
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        return Response(shown(declared, self.workspace))

    @endpoint(query=shapes.FeedbackConfigNamed, answer=Message, errors=(404,))
    def delete(self, request: Request, query: shapes.FeedbackConfigNamed) -> Response:
        key = query.feedback_key
        if (key is None) == (query.id is None):
            raise Unprocessable("feedback_key: name exactly one of feedback_key and id")
        if query.id is not None:
            key = configs.key_of(self.workspace, query.id)
        if key is None or not configs.withdraw(self.workspace, key):
            raise NotFound("Feedback config not found")
        return Response({"message": "Feedback config deleted"})
