"""Settings: the allowed words of feedback reasons and categories."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from observatory.feedback import attributes, scales, taxonomies
from observatory.feedback.models import FeedbackConfig
from observatory.web.http import WebRequest, render_page, require
from observatory.workspaces.roles import Permission

TITLES = {
    attributes.REASON: "Why an answer failed",
    attributes.CATEGORY: "What users complain about",
}


class TaxonomyForm(forms.Form):
    key = forms.ChoiceField(choices=[(key, key) for key in attributes.TAXONOMIES])
    words = forms.CharField(required=False, max_length=40_000, strip=False)
    is_enforced = forms.BooleanField(required=False)


def _section(
    key: str, declared: FeedbackConfig | None, form: TaxonomyForm | None
) -> dict[str, Any]:
    if form is not None and form.data.get("key") == key:
        words, is_enforced = form.data.get("words", ""), bool(form.data.get("is_enforced"))
        errors = [text for field in form.errors.values() for text in field]
    else:
        words = "\n".join(scales.words_of(declared.config)) if declared else ""
        is_enforced, errors = bool(declared and declared.is_enforced), []
    return {
        "key": key,
        "title": TITLES[key],
        "words": words,
        "is_enforced": is_enforced,
        "errors": errors,
    }


@require_http_methods(["GET", "POST"])
@require(Permission.MANAGE_QUEUES)
def taxonomy_page(request: WebRequest) -> HttpResponse:
    """Show and change the allowed words, one per line, and whether others are rejected."""
    form = TaxonomyForm(request.POST) if request.method == "POST" else None
    if form is not None and form.is_valid():
        try:
            taxonomies.set_words(
                request.workspace,
                form.cleaned_data["key"],
                form.cleaned_data["words"].splitlines(),
                is_enforced=form.cleaned_data["is_enforced"],
                now=timezone.now(),
            )
        except ValueError as error:
            form.add_error("words", str(error))
        else:
            messages.success(request, f"Saved the words of {form.cleaned_data['key']}.")
            return redirect("taxonomies", request.workspace.slug)
    declared = taxonomies.of(request.workspace)
    context = {
        "workspace": request.workspace,
        "sections": [_section(key, config, form) for key, config in declared.items()],
        "max_words": taxonomies.MAX_WORDS,
        "max_word": taxonomies.MAX_WORD,
        "tab": "taxonomies",
    }
    return render_page(
        request,
        "workspaces/settings.html",
        "workspaces/_taxonomies.html",
        context,
        section="settings",
        status=422 if form is not None else 200,
    )
