"""A queue's rubric, question by question, with its conditions, patterns and assertions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from annotations.models import AnnotationQueue, RubricItem
from annotations.question_kinds import KINDS
from annotations.queues import question_conditions, rubric_editing
from annotations.queues.question_conditions import InvalidCondition
from observatory.workspaces.admin import WorkspaceInline
from observatory.workspaces.roles import Permission

if TYPE_CHECKING:  # it cannot be subscripted at run time
    QuestionModelForm = forms.ModelForm[RubricItem]
    QuestionFormSet = forms.BaseInlineFormSet[RubricItem, AnnotationQueue, QuestionModelForm]
else:
    QuestionModelForm = forms.ModelForm
    QuestionFormSet = forms.BaseInlineFormSet

MANAGE = Permission.MANAGE_QUEUES
SMALL = forms.Textarea(attrs={"rows": 2, "cols": 80})
CONDITION = '{"join": "all" or "any", "rules": [{"key": ..., "op": "is", "values": [1]}]}'
KEPT = ("is_assertion", "regex_validator", *question_conditions.FIELDS)


class RubricItemForm(QuestionModelForm):
    """One question. Settings without a column are kept in `extra`, as the SDKs send them."""

    is_assertion = forms.BooleanField(
        required=False, help_text="A statement that the answer must live up to"
    )
    regex_validator = forms.CharField(
        required=False, help_text="A free text must contain a match of this regular expression"
    )
    visible_if = forms.JSONField(
        required=False, widget=SMALL, help_text=f"Shown only if this holds: {CONDITION}"
    )
    required_if = forms.JSONField(required=False, widget=SMALL, help_text="Required if this holds")

    class Meta:
        model = RubricItem
        fields = (
            "position",
            "feedback_key",
            "title",
            "kind",
            "level",
            "weights",
            "is_required",
            "minimum",
            "maximum",
            "description",
            "categories",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = self.instance.extra or {}
        self.initial.update({name: kept[name] for name in KEPT if name in kept})

    def clean(self) -> dict[str, Any]:
        """Reject an unusable scale, and an invalid condition or pattern."""
        cleaned = super().clean() or {}
        categories = cleaned.get("categories") or []
        is_read = isinstance(categories, list) and all(
            isinstance(category, dict)
            and (category.get("label") or category.get("value") is not None)
            for category in categories
        )
        if not is_read:
            self.add_error("categories", "An array of objects, each with a value or a label")
        elif kind := KINDS.get(cleaned.get("kind") or ""):
            for name, complaint in kind.errors(cleaned).items():
                self.add_error(name, complaint)
        low, high = cleaned.get("minimum"), cleaned.get("maximum")
        if low is not None and high is not None and low >= high:
            self.add_error("maximum", "Must be greater than the minimum")
        self._read_extra(cleaned)
        return cleaned

    def _read_extra(self, cleaned: dict[str, Any]) -> None:
        read: dict[str, Any] = {"is_assertion": cleaned.get("is_assertion") or None}
        for name in ("regex_validator", *question_conditions.FIELDS):
            try:
                if name == "regex_validator":
                    read[name] = question_conditions.parse_pattern(
                        cleaned.get(name), cleaned.get("kind") or ""
                    )
                else:
                    read[name] = question_conditions.parse(name, cleaned.get(name))
            except InvalidCondition as error:
                self.add_error(name, str(error))
        extra = {**(self.instance.extra or {}), **read}
        self.instance.extra = {name: value for name, value in extra.items() if value is not None}


class RubricFormSet(QuestionFormSet):
    def clean(self) -> None:
        """Reject conditions on missing questions, and cycles of conditions."""
        super().clean()
        questions = [
            (form.cleaned_data.get("feedback_key") or "", form.instance.extra or {})
            for form in self.forms
            if form.is_valid() and form.cleaned_data and not form.cleaned_data.get("DELETE")
        ]
        try:
            question_conditions.check(questions)
        except InvalidCondition as error:
            position, _, field = error.field.partition(".")
            raise ValidationError(
                f"{questions[int(position)][0]}, {field.partition('.')[0]}: {error.reason}"
            ) from None

    def delete_existing(self, obj: RubricItem, commit: bool = True) -> None:
        """Retire a removed question, so that its ratings are kept."""
        if commit:
            obj.retired_at = timezone.now()
            obj.save(update_fields=["retired_at"])

    def save_new(self, form: QuestionModelForm, commit: bool = True) -> RubricItem:
        """Restore a retired question, with its ratings, when its key is added again."""
        kept = rubric_editing.retired(self.instance, form.instance.feedback_key)
        if kept is not None:
            form.instance.pk = kept.pk
            form.instance._state.adding = False
        question: RubricItem = super().save_new(form, commit=commit)
        return question


class RubricItemInline(WorkspaceInline):
    model = RubricItem
    form = RubricItemForm
    formset = RubricFormSet
    workspace_path = "queue__workspace"
    may_add = may_change = may_delete = MANAGE
    template = "admin/edit_inline/stacked.html"  # the columns would be wider than the page
    fields = (
        ("position", "feedback_key", "title"),
        ("kind", "level", "weights", "is_required", "is_assertion"),
        ("minimum", "maximum"),
        "description",
        "categories",
        "regex_validator",
        "visible_if",
        "required_if",
    )
    formfield_overrides = {
        models.TextField: {"widget": SMALL},
        models.JSONField: {"widget": forms.Textarea(attrs={"rows": 3, "cols": 80})},
    }
