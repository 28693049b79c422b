"""The user's password and browser sessions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from observatory.web.account import wait_to_sign_in
from observatory.web.agents import browser_of
from observatory.web.http import WebRequest, render_page, require
from observatory.workspaces import sessions, sign_in
from observatory.workspaces.roles import Permission


class PasswordForm(PasswordChangeForm):
    """The old password and a new one; guessing the old one is slowed like signing in."""

    def __init__(self, request: WebRequest) -> None:
        super().__init__(request.user, request.POST or None)
        self.request = request

    def clean_old_password(self) -> str:
        name, address = self.user.get_username(), self.request.META.get("REMOTE_ADDR", "")
        now = timezone.now()
        words = wait_to_sign_in(name, address, now)
        if words:
            raise forms.ValidationError(words)
        old = super().clean_old_password()
        sign_in.succeed(name, address, now)
        return str(old)


def _page(request: WebRequest, form: forms.Form | None = None, status: int = 200) -> HttpResponse:
    current = request.session.session_key
    rows: list[dict[str, Any]] = [
        {
            "session": session,
            "browser": browser_of(session.agent),
            "is_this": session.session_key == current,
        }
        for session in sessions.live(request.user, timezone.now())
    ]
    context = {
        "workspace": request.workspace,
        "form": form,
        "rows": rows,
        "idle_hours": f"{sessions.idle_limit().total_seconds() / 3600:g}",
        "tab": "security",
    }
    return render_page(
        request,
        "workspaces/settings.html",
        "workspaces/_security.html",
        context,
        section="settings",
        status=status,
    )


@require_GET
@require(Permission.VIEW)
def security(request: WebRequest) -> HttpResponse:
    """Show the form for a new password and the user's sessions."""
    return _page(request)


@sensitive_post_parameters()
@never_cache
@require_POST
@require(Permission.VIEW)
def password_change(request: WebRequest) -> HttpResponse:
    """Set a new password, and end the user's other sessions."""
    form = PasswordForm(request)
    if not form.is_valid():
        return _page(request, form, status=422)
    form.save()
    update_session_auth_hash(request, form.user)
    sessions.end(request.user, keep=request.session.session_key)
    messages.success(request, "Your password is changed. Other browsers were signed out.")
    return redirect("security", request.workspace.slug)


@require_POST
@require(Permission.VIEW)
def session_end(request: WebRequest, session_uuid: UUID) -> HttpResponse:
    """End one of the user's sessions."""
    session = sessions.live(request.user, timezone.now()).filter(uuid=session_uuid).first()
    if session is None:
        raise Http404("no such session")
    if session.session_key == request.session.session_key:
        return _signed_out(request)
    session.delete()
    messages.success(request, "That browser is signed out.")
    return redirect("security", request.workspace.slug)


@require_POST
@require(Permission.VIEW)
def session_end_all(request: WebRequest) -> HttpResponse:
    """End all of the user's sessions, or all but the current one."""
    if request.POST.get("keep") == "this":
        sessions.end(request.user, keep=request.session.session_key)
        messages.success(request, "All other browsers are signed out.")
        return redirect("security", request.workspace.slug)
    sessions.end(request.user)
    return _signed_out(request)


def _signed_out(request: WebRequest) -> HttpResponse:
    logout(request)
    return redirect("login")
