"""/feedback-configs: the declared scale of a key, enforced if it says so."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.feedback import schemas as shapes
from observatory.api.kit import parameters
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Conflict, Unprocessable
from observatory.api.kit.types import Message
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
        "is_first": True,  # a key has one scale here, and none is kept that was withdrawn
        "is_deleted": False,
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

    @endpoint(query=shapes.FeedbackConfigQuery, answer=list[shapes.FeedbackConfig])
    def get(self, request: Request) -> Response:
        found = FeedbackConfig.objects.filter(workspace=self.workspace).order_by("key")
        if keys := parameters.listed(request, "key"):
            found = found.filter(key__in=keys)
        if part := parameters.one(request, "name_contains"):
            found = found.filter(key__icontains=part)
        if (is_enforced := parameters.flag(request, "is_enforced")) is not None:
            found = found.filter(is_enforced=is_enforced)
        parameters.flag(request, "include_all_configs")  # there are no others of a key
        return Response([shown(c, self.workspace) for c in found[parameters.window(request)]])

    @endpoint(body=shapes.FeedbackConfigCreate, answer=shapes.FeedbackConfig, errors=(409,))
    def post(self, request: Request) -> Response:
        key, config, flags = _read(request.data)
        if config is None:
            raise Unprocessable("feedback_config: is missing")
        try:
            declared = configs.declare(self.workspace, key, config, flags, now=timezone.now())
        except configs.ConfigConflict as conflict:
            if conflict.is_enforced:
                raise Conflict(f"feedback_key: {key!r} has an enforced feedback_config") from None
            # 400, as the SDK's create_feedback_config documents it, not 409
            raise ParseError(
                f"feedback_key: {key!r} has another feedback_config already; change it by PATCH"
            ) from None
        return Response(shown(declared, self.workspace))

    @endpoint(body=shapes.FeedbackConfigChange, answer=shapes.FeedbackConfig, errors=(404,))
    def patch(self, request: Request) -> Response:
        body: Any = request.data
        key, config, flags = _read(body)
        named = parameters.sent_uuid(body, "id")
        if named is not None and named != configs.id_of(self.workspace, key):
            raise NotFound("Feedback config not found")
        changed = {**({} if config is None else {"config": config}), **flags}
        categories = {
            "added": _listed(body, "add_categories"),
            "removed": _listed(body, "remove_categories"),
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

    @endpoint(query=shapes.FeedbackConfigNamed, answer=Message, errors=(404,))
    def delete(self, request: Request) -> Response:
        key, named = parameters.one(request, "feedback_key"), parameters.uuid(request, "id")
        if (key is None) == (named is None):
            raise Unprocessable("feedback_key: name exactly one of feedback_key and id")
        if named is not None:
            key = configs.key_of(self.workspace, named)
        if key is None:
            raise NotFound("Feedback config not found")
        if not configs.withdraw(self.workspace, key):
            raise NotFound("Feedback config not found")
        return Response({"message": "Feedback config deleted"})
