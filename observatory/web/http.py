"""Shared by all pages: the user, the workspace, and rendering of responses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django.utils.cache import patch_cache_control, patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from observatory.workspaces.memberships import membership_of, memberships_of
from observatory.workspaces.models import Membership, User, Workspace
from observatory.workspaces.roles import PERMISSIONS, Permission, allows

OUR_FETCH = "X-Obs-Fetch"
OUR_USER = "X-Obs-User"  # the page's script sends the user the page was rendered for
P = ParamSpec("P")


class WebRequest(HttpRequest):
    """A request of a signed-in member; `require` has set all of these."""

    htmx: HtmxDetails
    user: User
    workspace: Workspace
    membership: Membership


Page = Callable[Concatenate[WebRequest, P], HttpResponse]
UrlView = Callable[..., HttpResponseBase]


def is_ours(request: HttpRequest) -> bool:
    """Return whether the page's own script sent this request and reads the response."""
    return OUR_FETCH in request.headers


def require(permission: Permission) -> Callable[[Page[P]], UrlView]:
    """Require that the user is a member of the URL's workspace with a role that has `permission`.

    Not signed in: to the sign-in page (a script gets 401, also when another user has signed in
    since its page was opened). Not a member: 404, as for an unknown workspace. A member without the
    permission: 403, naming the roles that may grant it.
    """

    def decorate(view: Page[P]) -> UrlView:
        @wraps(view)
        def guarded(request: WebRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if request.headers.get(OUR_USER, "") not in ("", str(request.user.uuid)):
                return _for_another(request)
            membership = membership_of(request.user, slug)
            if membership is None:
                raise Http404("no such page")
            request.membership, request.workspace = membership, membership.workspace
            if not allows(membership.role, permission):
                return _refusal(request, permission)
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded

    return decorate


def can(request: WebRequest, permission: Permission) -> bool:
    """Return whether the member has `permission`."""
    return allows(request.membership.role, permission)


def public(view: UrlView) -> UrlView:
    """Mark a view as open to visitors who are not signed in; the URL tests read the mark."""
    view.permission = "public"  # type: ignore[attr-defined]
    return view


def signed_in(view: Page[P]) -> UrlView:
    """Require a signed-in user; the view itself checks further permissions."""

    @wraps(view)
    def guarded(request: WebRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        return view(request, *args, **kwargs)

    guarded.permission = "signed in"  # type: ignore[attr-defined]
    return guarded


def _to_sign_in(request: WebRequest) -> HttpResponse:
    if is_ours(request):
        return HttpResponse("Sign in again", status=401, content_type="text/plain")
    if request.htmx:
        here = urlsplit(request.htmx.current_url or "/")
        page = f"{here.path}?{here.query}" if here.query else here.path
        query = urlencode({"next": page}, safe="/")
        return HttpResponseClientRedirect(f"{resolve_url(settings.LOGIN_URL)}?{query}")
    if request.method in {"GET", "HEAD"}:
        return redirect_to_login(request.get_full_path())
    return redirect_to_login(page_before(request))


def page_before(request: HttpRequest) -> str:
    """Return the path of the page with the submitted form; the form's own URL may not be a page."""
    page = urlsplit(request.headers.get("Referer", ""))
    return "/" + page.path.lstrip("/") if page.netloc == request.get_host() else "/"


def _for_another(request: WebRequest) -> HttpResponse:
    words = f"{request.user.username} has signed in since this page was opened."
    return HttpResponse(
        words, status=401, content_type="text/plain", headers={"X-Obs-Sign-In": "other"}
    )


def _refusal(request: WebRequest, permission: Permission) -> HttpResponse:
    roles = [role for role, held in PERMISSIONS.items() if permission in held]
    owners = request.workspace.memberships.filter(role="owner").select_related("user")[:3]
    context = {
        "shell": shell(request, ""),
        "roles": roles,
        "owners": [row.user.get_full_name() or row.user.username for row in owners],
    }
    return render(request, "403.html", context, status=403)


def shell(request: WebRequest, section: str) -> dict[str, Any]:
    """Return the context of the frame around a page: workspace, role and navigation."""
    return {
        "workspace": request.workspace,
        "role": request.membership.role,
        "section": section,
        "can": {
            name.value: allows(request.membership.role, name)
            for name in (
                Permission.REVIEW,
                Permission.MANAGE_QUEUES,
                Permission.MANAGE_KEYS,
                Permission.EDIT_DATASETS,
            )
        },
        "others": [
            membership.workspace
            for membership in memberships_of(request.user)
            if membership.workspace_id != request.workspace.pk
        ],
    }


def render_page(
    request: WebRequest,
    page: str,
    fragment: str,
    context: dict[str, Any],
    *,
    section: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render `fragment` when htmx requests a part, else the whole `page` around it.

    The only function that knows htmx's headers: a boosted visit and a restored history entry get
    the whole page. Responses are never stored by a shared cache.
    """
    wants_part = (
        bool(request.htmx) and not request.htmx.boosted and not request.htmx.history_restore_request
    )
    if wants_part:
        response = render(request, fragment, context, status=status)
    else:
        response = render(
            request,
            page,
            {**context, "shell": shell(request, section), "fragment": fragment},
            status=status,
        )
    return privately(response)


def privately(response: HttpResponse) -> HttpResponse:
    """Mark `response` as dependent on htmx's headers and private to one user."""
    patch_vary_headers(response, ["HX-Request", "HX-Boosted", "HX-History-Restore-Request"])
    patch_cache_control(response, private=True, no_cache=True)
    return response


def fingerprint(*parts: object) -> str:
    """Return a short digest of `parts`: a poll that sends it back gets 204 if it is unchanged."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def unchanged() -> HttpResponse:
    """Respond to a poll without a change: 204."""
    return privately(HttpResponse(status=204))
