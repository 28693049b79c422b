"""Signing in and out, and where a signed-in person lands."""

from __future__ import annotations

import math
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

from observatory.web.http import public
from observatory.workspaces import sign_in
from observatory.workspaces.models import User, Workspace


class SignInForm(AuthenticationForm):
    """Name and password; after ten wrong ones the pair of name and address has to wait."""

    error_messages = {
        "invalid_login": "That name and password do not match. Both are case-sensitive.",
        "inactive": "That name and password do not match. Both are case-sensitive.",
        "slow": "Too many wrong passwords. Try again in %(minutes)d min.",
    }

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username") or ""
        address = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        now = timezone.now()
        wait = sign_in.wait_for(name, address, now)
        if wait is not None:
            minutes = max(1, math.ceil(wait.total_seconds() / 60))
            raise forms.ValidationError(
                self.error_messages["slow"], code="slow", params={"minutes": minutes}
            )
        try:
            cleaned = super().clean()
        except forms.ValidationError:
            sign_in.note_failure(name, address, now)
            raise
        sign_in.forget(name, address)
        return cleaned


class SignIn(LoginView):
    form_class = SignInForm
    template_name = "registration/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        has_people = User.objects.filter(is_active=True).exists()
        return super().get_context_data(has_people=has_people, **kwargs)


sign_in_page = public(SignIn.as_view())


@require_POST
def _sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("login")


sign_out = public(_sign_out)


@never_cache
@require_GET
def _landing(request: HttpRequest) -> HttpResponse:
    """Send a member to the home of their first workspace; say so to one who has none."""
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
    """Send a browser to the icon: it asks here for pages that name none, such as JSON."""
    return redirect(static("obs/mark.svg"))


favicon = public(_favicon)
