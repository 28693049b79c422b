"""Arithmetic: the permissions of each role."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    VIEW = "view"  # read every page and record of the workspace
    REVIEW = "review"  # take items from queues and judge them
    GIVE_FEEDBACK = "give_feedback"
    EDIT_DATASETS = "edit_datasets"
    MANAGE_QUEUES = "manage_queues"  # queues, rubrics, rules, items
    MANAGE_KEYS = "manage_keys"
    MANAGE_MEMBERS = "manage_members"


_VIEWER = frozenset({Permission.VIEW})
_REVIEWER = _VIEWER | {Permission.REVIEW, Permission.GIVE_FEEDBACK}
_MANAGER = _REVIEWER | {
    Permission.EDIT_DATASETS,
    Permission.MANAGE_QUEUES,
    Permission.MANAGE_KEYS,
}
PERMISSIONS: dict[str, frozenset[Permission]] = {
    "viewer": _VIEWER,
    "reviewer": _REVIEWER,
    "manager": _MANAGER,
    "owner": _MANAGER | {Permission.MANAGE_MEMBERS},
}


def allows(role: str, permission: Permission) -> bool:
    """Return whether `role` includes `permission`. An unknown role allows nothing."""
    return permission in PERMISSIONS.get(role, frozenset())
