"""/feedback-configs: the declared scale of a key, enforced if it says so."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api import parameters
from observatory.api.base import WorkspaceView
from observatory.api.described import describe
from observatory.api.errors import Unprocessable
from observatory.api.shapes import Message
from observatory.api.shapes import feedback as shapes
from observatory.feedback import configs, judgement, scales
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
    }


def _read(body: Any) -> tuple[str, dict[str, Any] | None, dict[str, bool]]:
    """Return the key, the config and the flags that a body names; null is not named."""
    try:
        if not isinstance(body, dict):
            raise InvalidFeedback("feedback_key", "is missing")
        key = judgement.parse_key(body.get("feedback_key"), "feedback_key")
        config = judgement.parse_config(body.get("feedback_config"))
        flags = {flag: body[flag] for flag in configs.FLAGS if body.get(flag) is not None}
        for flag, wanted in flags.items():
            if not isinstance(wanted, bool):
                raise InvalidFeedback(flag, "must be true or false")
    except InvalidFeedback as error:
        raise Unprocessable(str(error)) from None
    return key, config, flags


def _listed(body: Any, name: str) -> list[Any]:
    """Return a list that a body names, empty if it names none."""
    given = body.get(name) or []
    if not isinstance(given, list) or len(given) > scales.MAX_CATEGORIES:
        raise Unprocessable(f"{name}: must be a list of at most {scales.MAX_CATEGORIES}")
    try:
        cleaned: list[Any] = judgement.clean_document(name, given)
    except InvalidFeedback as error:
        raise Unprocessable(str(error)) from None
    return cleaned


class FeedbackConfigs(WorkspaceView):
    """GET, POST, PATCH and DELETE /feedback-configs, as the SDKs' *_feedback_config do."""

    @describe(query=shapes.FeedbackConfigQuery, answer=list[shapes.FeedbackConfig])
    def get(self, request: Request) -> Response:
        found = FeedbackConfig.objects.filter(workspace=self.workspace).order_by("key")
        if keys := parameters.listed(request, "key"):
            found = found.filter(key__in=keys)
        if part := parameters.one(request, "name_contains"):
            found = found.filter(key__icontains=part)
        return Response([shown(c, self.workspace) for c in found[parameters.window(request)]])

    @describe(body=shapes.FeedbackConfigCreate, answer=shapes.FeedbackConfig)
    def post(self, request: Request) -> Response:
        key, config, flags = _read(request.data)
        if config is None:
            raise Unprocessable("feedback_config: is missing")
        try:
            declared = configs.declare(self.workspace, key, config, flags, now=timezone.now())
        except configs.ConfigConflict:
            # 400, as the SDK's create_feedback_config documents it, not 409
            raise ParseError(
                f"feedback_key: {key!r} has another feedback_config already; change it by PATCH"
            ) from None
        return Response(shown(declared, self.workspace))

    @describe(body=shapes.FeedbackConfigChange, answer=shapes.FeedbackConfig, errors=(404,))
    def patch(self, request: Request) -> Response:
        key, config, flags = _read(request.data)
        changed = {**({} if config is None else {"config": config}), **flags}
        categories = {
            "added": _listed(request.data, "add_categories"),
            "removed": _listed(request.data, "remove_categories"),
        }
        try:
            declared = configs.change(
                self.workspace, key, changed, now=timezone.now(), **categories
            )
        except FeedbackConfig.DoesNotExist:
            raise NotFound("Feedback config not found") from None
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        return Response(shown(declared, self.workspace))

    @describe(query=shapes.FeedbackConfigNamed, answer=Message, errors=(404,))
    def delete(self, request: Request) -> Response:
        key = parameters.one(request, "feedback_key")
        if key is None:
            raise Unprocessable("feedback_key: is missing")
        if not configs.withdraw(self.workspace, key):
            raise NotFound("Feedback config not found")
        return Response({"message": "Feedback config deleted"})
