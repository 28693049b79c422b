"""Tables of versioned prompts: a repository of commits with immutable manifests."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from observatory.workspaces.models import User, Workspace


class PromptRepo(models.Model):
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="prompts")
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    handle = models.CharField(max_length=256)
    description = models.TextField(blank=True)
    readme = models.TextField(blank=True)
    tags = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    is_public = models.BooleanField(default=False)
    is_archived = models.BooleanField(default=False)
    num_downloads = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "handle"], name="prompt_handle_is_unique")
        ]

    def __str__(self) -> str:
        return self.handle


class Commit(models.Model):
    """A manifest as it was pushed. `prompt` is the part without the model, if it has one."""

    repo = models.ForeignKey(PromptRepo, models.CASCADE, related_name="commits")
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="+")
    commit_hash = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, help_text="sha256 of the canonical manifest")
    manifest = models.TextField(help_text="JSON as sent")
    prompt = models.TextField(null=True)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repo", "commit_hash"], name="commit_hash_is_unique")
        ]

    def __str__(self) -> str:
        return self.commit_hash[:8]


class Tag(models.Model):
    repo = models.ForeignKey(PromptRepo, models.CASCADE, related_name="commit_tags")
    commit = models.ForeignKey(Commit, models.CASCADE, related_name="tags")
    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repo", "name"], name="tag_once_per_repo")]

    def __str__(self) -> str:
        return self.name


class Like(models.Model):
    """A like by the key's owner; all keys without an owner count as one."""

    repo = models.ForeignKey(PromptRepo, models.CASCADE, related_name="likes")
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repo", "user"], name="like_once_per_person", nulls_distinct=False
            )
        ]
