"""Tables of users, workspaces, roles and API keys."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now


class Role(models.TextChoices):
    OWNER = "owner"
    MANAGER = "manager"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


class User(AbstractUser):
    """A user who signs in. `Membership` decides per workspace what they may do."""

    class Theme(models.TextChoices):
        SYSTEM = "system"
        LIGHT = "light"
        DARK = "dark"

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    theme = models.CharField(max_length=8, choices=Theme, default=Theme.SYSTEM)
    has_single_key_shortcuts = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False, editable=False)

    memberships_read: list[Membership] | None = None
    """What `people.Backend` read with the person who makes a request; None: not read."""


class Workspace(models.Model):
    """A tenant. Every other row belongs to exactly one; on the wire it is `tenant_id`."""

    id = models.AutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    members = models.ManyToManyField(User, through="Membership", related_name="workspaces")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user"], name="membership_one_per_user_and_workspace"
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.workspace}"


class ApiKey(models.Model):
    """A credential of the SDKs. Only its SHA-256 digest is stored; it decides the workspace."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="api_keys")
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120)
    prefix = models.CharField(
        max_length=16, editable=False, help_text="First characters, to recognise it by"
    )
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}...)"


class BrowserSession(AbstractBaseSession):
    """A browser session of a user. `expire_date` moves on with their activity."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="browser_sessions"
    )
    created_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    address = models.CharField(max_length=64, blank=True)
    agent = models.CharField(max_length=300, blank=True, help_text="What the browser calls itself")

    def save(self, *, force_update: bool = False, **how: Any) -> None:
        """Write the row; an existing one keeps its times, which only activity moves."""
        fields = ["session_data", "user", "address", "agent"] if force_update else None
        super().save(force_update=force_update, update_fields=fields, **how)


class SignInFailure(models.Model):
    """A wrong password, kept as long as it slows the next attempt down."""

    mark = models.BinaryField(max_length=32, help_text="SHA-256 of user name and address")
    failed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["mark", "failed_at"], name="sign_in_failure_recent")]
