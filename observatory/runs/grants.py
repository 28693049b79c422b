"""What a signed link was made for: an API key, or the share of a run or a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from django.utils import timezone

from observatory.runs import sharing, thread_sharing
from observatory.workspaces import keys
from observatory.workspaces.models import ApiKey

KEY = "key"
SHARE = "share"


@dataclass(frozen=True)
class Grant:
    """The access of the client a link was made for. The link must not outlive it."""

    kind: str
    uuid: UUID

    @classmethod
    def of_key(cls, key: ApiKey) -> Self:
        return cls(KEY, key.uuid)

    @classmethod
    def of_share(cls, token: UUID) -> Self:
        return cls(SHARE, token)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the grant that `text` encodes."""
        kind, _, uuid = text.partition(":")
        return cls(kind, UUID(uuid))

    def __str__(self) -> str:
        return f"{self.kind}:{self.uuid.hex}"

    def is_open(self, workspace_id: int) -> bool:
        """Return whether this still opens files of the workspace. Checked at each download."""
        if self.kind == KEY:
            return keys.is_live(self.uuid, workspace_id, timezone.now())
        if (run := sharing.shared(self.uuid)) is not None:
            return run.workspace_id == workspace_id
        thread = thread_sharing.shared(self.uuid)
        return thread is not None and thread.project.workspace_id == workspace_id
