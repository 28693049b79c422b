"""Create what a new installation needs: a workspace, its owner and an API key."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.db import transaction

from observatory.runs.models import Project
from observatory.workspaces import keys
from observatory.workspaces.models import Membership, Role, User, Workspace

DEFAULT = "default"
OWNER = "admin"


@dataclass(frozen=True)
class Secrets:
    """Secrets that are shown once and not stored in clear."""

    login: str
    password: str
    api_key: str


def new_password() -> str:
    """Return a password of 120 random bits that can be typed."""
    return secrets.token_urlsafe(15)


@transaction.atomic
def create_workspace(slug: str, name: str = "") -> Workspace:
    """Create the workspace `slug` with its project `default`. Raises IntegrityError if taken."""
    workspace = Workspace.objects.create(slug=slug, name=name or slug.replace("-", " ").title())
    Project.objects.create(workspace=workspace, name=DEFAULT)
    return workspace


@transaction.atomic
def prepare() -> Secrets | None:
    """Create workspace, owner and API key; None when a workspace or a user exists already."""
    if Workspace.objects.exists() or User.objects.exists():
        return None
    workspace = create_workspace(DEFAULT)
    password = new_password()
    owner = User.objects.create_superuser(username=OWNER, password=password)
    Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
    _, token = keys.mint(workspace, "first key", created_by=owner)
    return Secrets(OWNER, password, token)
