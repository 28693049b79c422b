"""What every API view starts from."""

from __future__ import annotations

from uuid import UUID

from rest_framework.exceptions import NotFound
from rest_framework.views import APIView

from observatory.api.auth import Caller
from observatory.workspaces.models import Workspace


class WorkspaceView(APIView):
    """A view of the caller's workspace. `self.workspace` comes from the credential alone."""

    @property
    def caller(self) -> Caller:
        user = self.request.user
        assert isinstance(user, Caller)  # IsAuthenticated and ApiKeyAuthentication made it so
        return user

    @property
    def workspace(self) -> Workspace:
        return self.caller.workspace


def uuid_or_404(text: str) -> UUID:
    """Return `text` as a UUID; what is none names nothing, so it is 404 like an unknown id."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("Not found") from None
