"""Signing in and out, and the first page after it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth import logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.utils import timezone
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from observatory.web.http import is_ours, page_before, public
from observatory.workspaces import sessions, sign_in
from observatory.workspaces.models import User, Workspace


class SignInForm(AuthenticationForm):
    """Name and password; after ten wrong ones the pair of name and address has to wait."""

    error_messages = {
        "invalid_login": "That name and password do not match. Both are case-sensitive.",
        "inactive": "That name and password do not match. Both are case-sensitive.",
    }

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username") or ""
        if not name or not self.cleaned_data.get("password"):
            return dict(self.cleaned_data)  # the fields' own errors say what is missing
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        now = timezone.now()
        words = wait_to_sign_in(name, address, now)
        if words:
            raise forms.ValidationError(words, code="slow")
        cleaned = super().clean()
        sign_in.succeed(name, address, now)
        return cleaned


def wait_to_sign_in(name: str, address: str, now: datetime) -> str:
    """Count an attempt. Return the error after too many failures, else "".

    After a right password, call `sign_in.succeed`.
    """
    wait = sign_in.begin(name, address, now)
    if wait is None:
        return ""
    minutes = max(1, math.ceil(wait.total_seconds() / 60))
    return f"Too many wrong passwords. Try again in {minutes} min."


class SignIn(LoginView):
    form_class = SignInForm
    template_name = "registration/login.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        meta = self.request.META
        sessions.describe(
            self.request.session,
            address=meta.get("REMOTE_ADDR", ""),
            agent=meta.get("HTTP_USER_AGENT", ""),
        )
        sessions.forget_ended(timezone.now())
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        has_people = User.objects.filter(is_active=True).exists()
        return super().get_context_data(has_people=has_people, **kwargs)


sign_in_page = public(SignIn.as_view())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Respond to a form whose token is older than the session; a script sends it again."""
    if is_ours(request):
        words = "The page is older than the session; send it again with the new token"
        return HttpResponse(
            words, status=403, content_type="text/plain", headers={"X-Obs-Token": "stale"}
        )
    return render(request, "403_csrf.html", {"back": page_before(request)}, status=403)


@require_POST
def _sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("login")


sign_out = public(_sign_out)


@never_cache
@require_GET
def _landing(request: HttpRequest) -> HttpResponse:
    """Redirect to the home of the user's first workspace; a user without one gets a message."""
    if not request.user.is_authenticated:
        return redirect("login")
    workspace = Workspace.objects.filter(memberships__user=request.user).order_by("pk").first()
    if workspace is None:
        return render(request, "no_workspace.html")
    return HttpResponseRedirect(f"/w/{workspace.slug}/")


landing = public(_landing)


@cache_control(max_age=86_400, public=True)
@require_safe
def _favicon(request: HttpRequest) -> HttpResponse:
    """Redirect to the icon: browsers request it here for pages that name none, such as JSON."""
    return redirect(static("obs/mark.svg"))


favicon = public(_favicon)
