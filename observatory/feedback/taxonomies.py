"""The allowed words of `feedback_reason` and `user_feedback_category` in a workspace.

A taxonomy is the declared scale of its key (`FeedbackConfig`, categorical), so it applies to
feedback from attributes of runs, POST /feedback and tokens. An unknown word is kept and flagged,
or, when it is enforced, rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from observatory.feedback import attributes, scales
from observatory.feedback.judgement import InvalidFeedback
from observatory.feedback.models import FeedbackConfig
from observatory.wire_values import clean_text
from observatory.workspaces.models import Workspace

MAX_WORDS = scales.MAX_CATEGORIES
MAX_WORD = 100  # characters


def of(workspace: Workspace) -> dict[str, FeedbackConfig | None]:
    """Return the declared taxonomy of each of `attributes.TAXONOMIES`, None for any word."""
    declared = FeedbackConfig.objects.filter(workspace=workspace, key__in=attributes.TAXONOMIES)
    by_key = {config.key: config for config in declared}
    return {key: by_key.get(key) for key in attributes.TAXONOMIES}


@transaction.atomic
def set_words(
    workspace: Workspace, key: str, words: Sequence[str], *, is_enforced: bool, now: datetime
) -> FeedbackConfig | None:
    """Allow these words for `key`, in this order; none: any word. Returns the declared scale.

    A word keeps its number as long as it stays, so that earlier feedback keeps its meaning. Earlier
    feedback is not checked again. Raises ValueError for a key outside `attributes.TAXONOMIES`, more
    than MAX_WORDS words or one longer than MAX_WORD.
    """
    if key not in attributes.TAXONOMIES:
        raise ValueError(f"key: must be one of {', '.join(attributes.TAXONOMIES)}")
    cleaned = list(dict.fromkeys(word for raw in words if (word := clean_text(raw).strip())))
    if len(cleaned) > MAX_WORDS:
        raise ValueError(f"words: more than {MAX_WORDS}")
    if too_long := next((word for word in cleaned if len(word) > MAX_WORD), None):
        raise ValueError(f"words: {too_long[:20]!r} is longer than {MAX_WORD} characters")
    declared = (
        FeedbackConfig.objects.select_for_update().filter(workspace=workspace, key=key).first()
    )
    if not cleaned:
        if declared is not None:
            declared.delete()
        return None
    config = {
        "type": "categorical",
        "min": None,
        "max": None,
        "categories": _numbered(cleaned, declared.config if declared else {}),
    }
    declared, _ = FeedbackConfig.objects.update_or_create(
        workspace=workspace,
        key=key,
        defaults={"config": config, "is_enforced": is_enforced, "modified_at": now},
        create_defaults={
            "config": config,
            "is_enforced": is_enforced,
            "created_at": now,
            "modified_at": now,
        },
    )
    return declared


def _numbered(words: Sequence[str], before: Mapping[str, Any]) -> list[dict[str, Any]]:
    categories = before.get("categories") or []
    known = dict(
        zip(scales.words_of(before), (category["value"] for category in categories), strict=True)
    )
    free = max([-1, *map(int, known.values())]) + 1
    numbered = []
    for word in words:
        if word in known:
            numbered.append({"value": known[word], "label": word})
        else:
            numbered.append({"value": free, "label": word})
            free += 1
    return numbered


def check(workspace: Workspace, *attributes_of_runs: Mapping[str, Any]) -> None:
    """Raise InvalidFeedback when attributes have a word outside an enforced taxonomy.

    Its reason lists the allowed words. One query for any number of runs' attributes.
    """
    words = {pair for each in attributes_of_runs for pair in attributes.words_of(each)}
    if not words:
        return
    enforced = FeedbackConfig.objects.filter(
        workspace=workspace, key__in={key for key, _ in words}, is_enforced=True
    ).order_by("key")
    for declared in enforced:
        for word in sorted(word for key, word in words if key == declared.key):
            if scales.complaint(declared.config, None, word):
                allowed = ", ".join(scales.words_of(declared.config))
                reason = f"{word[:80]!r} is not allowed; use one of: {allowed}"
                raise InvalidFeedback(declared.key, reason)
