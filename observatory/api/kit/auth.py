"""The credential decides the workspace. Nothing in a URL, a header or a body can change it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from observatory.runs.grants import Grant
from observatory.workspaces import keys
from observatory.workspaces.models import ApiKey, Workspace


@dataclass(frozen=True)
class Caller:
    """Who sent an API request: a key, and so a workspace."""

    key: ApiKey
    is_authenticated: bool = True

    @property
    def workspace(self) -> Workspace:
        return self.key.workspace

    @property
    def grant(self) -> Grant:
        """What links to files are made for, so that they end with the key."""
        return Grant.of_key(self.key)


class ApiKeyAuthentication(BaseAuthentication):
    """`x-api-key: obs_...`, or the same as a bearer token."""

    def authenticate(self, request: Request | HttpRequest) -> tuple[Caller, ApiKey]:
        token = request.headers.get("x-api-key", "")
        if not token:
            scheme, _, credential = request.headers.get("authorization", "").partition(" ")
            token = credential.strip() if scheme.lower() == "bearer" else ""
        if not token:
            raise AuthenticationFailed("Missing API key: send it in the x-api-key header")
        key = keys.find(token, timezone.now())
        if key is None:
            raise AuthenticationFailed("Invalid API key")
        tenant_id = request.headers.get("x-tenant-id", "")
        if tenant_id and tenant_id.lower() != str(key.workspace.uuid):
            raise PermissionDenied(
                "This API key belongs to another workspace than X-Tenant-Id names"
            )
        return Caller(key), key

    def authenticate_header(self, request: Request) -> str:
        return "x-api-key"
