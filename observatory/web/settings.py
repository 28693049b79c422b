"""Settings: the user's profile and theme, and the workspace's API keys."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from observatory.web.http import WebRequest, render_page, require
from observatory.workspaces import keys
from observatory.workspaces.models import ApiKey, User
from observatory.workspaces.roles import Permission


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ["first_name", "last_name", "theme", "has_single_key_shortcuts"]


class KeyForm(forms.Form):
    name = forms.CharField(max_length=120)


@require_http_methods(["GET", "POST"])
@require(Permission.VIEW)
def profile(request: WebRequest) -> HttpResponse:
    """Change the user's name, theme and single-key shortcuts."""
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("settings", request.workspace.slug)
    context = {"workspace": request.workspace, "form": form, "tab": "profile"}
    status = 422 if form.errors else 200
    return render_page(
        request,
        "workspaces/settings.html",
        "workspaces/_profile.html",
        context,
        section="settings",
        status=status,
    )


def _key_page(
    request: WebRequest, form: KeyForm, secret: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "workspace": request.workspace,
        "form": form,
        "secret": secret,
        "keys": ApiKey.objects.filter(workspace=request.workspace)
        .select_related("created_by")
        .order_by("revoked_at", "-created_at"),
        "now": timezone.now(),
        "tab": "keys",
        "endpoint": request.build_absolute_uri("/api"),
    }
    return render_page(
        request,
        "workspaces/settings.html",
        "workspaces/_keys.html",
        context,
        section="settings",
        status=status,
    )


@require_GET
@require(Permission.MANAGE_KEYS)
def key_list(request: WebRequest) -> HttpResponse:
    """List the API keys; a secret is never shown again."""
    return _key_page(request, KeyForm())


@never_cache
@require_POST
@require(Permission.MANAGE_KEYS)
def key_mint(request: WebRequest) -> HttpResponse:
    """Create a key and show its secret in this response only."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _key_page(request, form, status=422)
    _, secret = keys.mint(request.workspace, form.cleaned_data["name"], created_by=request.user)
    response = _key_page(request, KeyForm(), secret=secret)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@require(Permission.MANAGE_KEYS)
def key_revoke(request: WebRequest, key_uuid: UUID) -> HttpResponse:
    """Revoke a key from the next request on."""
    key = ApiKey.objects.filter(workspace=request.workspace, uuid=key_uuid).first()
    if key is None:
        raise Http404("no such key")
    keys.revoke(key, timezone.now())
    messages.success(request, f"Revoked {key.name}. Requests with it fail from now on.")
    return redirect("key-list", request.workspace.slug)
