"""What every API view starts from."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from observatory.api.kit import exception_handler
from observatory.api.kit.auth import ApiKeyAuthentication, Caller
from observatory.exact import dumps
from observatory.workspaces.models import Workspace


class ListedView(APIView):
    """A view that may answer with a list it streams. Its answer goes with the request."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        # View and request refer to each other, so what the view holds waits for the collector.
        self.__dict__.pop("response", None)
        return response


class WorkspaceView(ListedView):
    """A view of the caller's workspace. `self.workspace` comes from the credential alone."""

    @property
    def caller(self) -> Caller:
        user = self.request.user
        assert isinstance(user, Caller)  # IsAuthenticated and ApiKeyAuthentication made it so
        return user

    @property
    def workspace(self) -> Workspace:
        return self.caller.workspace


@method_decorator(csrf_exempt, name="dispatch")
class BareWorkspaceView(View):
    """A view of the caller's workspace without REST framework's dispatch, for the hot paths.

    The same credential, the same errors; it reads `request` itself.
    """

    caller: Caller

    @property
    def workspace(self) -> Workspace:
        return self.caller.workspace

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            self.caller = _authenticated(request)
            return super().dispatch(request, *args, **kwargs)
        except Exception as error:
            answer = exception_handler.handle(error, {})
            if answer is None:
                raise
            if not isinstance(answer, Response):
                return answer
            headers = dict(answer.items()) | {"Content-Type": "application/json"}
            return HttpResponse(dumps(answer.data), status=answer.status_code, headers=headers)


def _authenticated(request: HttpRequest) -> Caller:
    """Return the caller. The first statement of a kept connection is its health check, too."""
    is_kept = connection.connection is not None and not connection.in_atomic_block
    connection.health_check_done = True  # type: ignore[attr-defined]
    try:
        caller, _ = ApiKeyAuthentication().authenticate(request)
    except (OperationalError, InterfaceError):
        if not is_kept:
            raise
        connection.close()  # the server restarted, or cut it: once more on a new one
        caller, _ = ApiKeyAuthentication().authenticate(request)
    return caller


def uuid_or_404(text: str) -> UUID:
    """Return `text` as a UUID; what is none names nothing, so it is 404 like an unknown id."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFound("Not found") from None


def base_url(request: HttpRequest | Request) -> str:
    """Return what links in an answer begin with, without a slash at the end.

    That is OBSERVATORY_PUBLIC_URL, or the scheme and host that were asked.
    """
    return settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
