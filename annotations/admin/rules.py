"""Admin of rules: presets, versions, on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import Truncator

from annotations.models import AnnotationQueue, RoutingRule, RuleVersion
from annotations.routing import presets
from annotations.routing import rules as routing_rules
from observatory.runs.filters.grammar import FilterError
from observatory.workspaces.admin import (
    ScopedFilter,
    WorkspaceAdmin,
    WorkspaceInline,
    workspace_ids,
)
from observatory.workspaces.models import User
from observatory.workspaces.roles import Permission

if TYPE_CHECKING:  # it cannot be subscripted at run time
    RuleModelForm = forms.ModelForm[RoutingRule]
else:
    RuleModelForm = forms.ModelForm

MANAGE = Permission.MANAGE_QUEUES


class RuleVersionInline(WorkspaceInline):
    model = RuleVersion
    workspace_path = "rule__workspace"
    fields = readonly_fields = ("version", "definition", "created_by", "created_at")
    ordering = ("-version",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("created_by")


class RuleForm(RuleModelForm):
    class Meta:
        model = RoutingRule
        fields = (
            "workspace",
            "name",
            "filter",
            "projects",
            "sampling_rate",
            "queue",
            "priority",
            "daily_limit",
            "is_enabled",
        )

    def clean_filter(self) -> str:
        """Reject an invalid filter, with the position of the error."""
        text = str(self.cleaned_data["filter"])
        try:
            routing_rules.check_filter(text)
        except FilterError as error:
            start = max(error.position - 20, 0)
            raise ValidationError(
                f"{error.message}, at character {error.position + 1}: "
                f"{text[start : error.position]} >>> {text[error.position : error.position + 20]}"
            ) from None
        return text

    def clean(self) -> dict[str, Any]:
        """Reject a queue or a project of another workspace, and a rule without its target."""
        cleaned = super().clean() or {}
        if cleaned.get("is_enabled"):
            self.instance.is_shadow = False
        workspace = cleaned.get("workspace") or getattr(self.instance, "workspace", None)
        if workspace is None:  # the field's own error says that it is required
            return cleaned
        queue = cleaned.get("queue")
        is_of_a_queue = self.instance.target == RoutingRule.Target.QUEUE
        if is_of_a_queue is (queue is None) and "queue" not in self.errors:
            target = self.instance.get_target_display()
            self.add_error("queue", "Choose a queue" if is_of_a_queue else f"It is to {target}")
        if queue is not None and queue.workspace_id != workspace.pk:
            self.add_error("queue", f"This queue is not in {workspace}")
        elif queue is not None and queue.queue_type == AnnotationQueue.QueueType.PAIRWISE:
            self.add_error("queue", routing_rules.NO_PAIRS)
        if any(project.workspace_id != workspace.pk for project in cleaned.get("projects") or []):
            self.add_error("projects", f"Choose projects of {workspace}")
        return cleaned


class PresetForm(forms.Form):
    """Which presets to install for which queue."""

    queue = forms.ModelChoiceField(AnnotationQueue.objects.none())
    presets = forms.MultipleChoiceField(
        choices=[
            (preset.name, f"{preset.title}: {preset.about}") for preset in presets.PRESETS.values()
        ],
        initial=list(presets.PRESETS),
        widget=forms.CheckboxSelectMultiple,
    )
    is_enabled = forms.BooleanField(label="Switched on", required=False, initial=True)


@admin.register(RoutingRule)
class RoutingRuleAdmin(WorkspaceAdmin):
    """Rules, kept by version. A change applies to runs that change from now on."""

    may_add = may_change = may_delete = MANAGE
    form = RuleForm
    change_list_template = "admin/annotations/routingrule/change_list.html"
    list_display = (
        "name",
        "workspace",
        "target",
        "queue",
        "is_enabled",
        "is_shadow",
        "sampling_rate",
        "priority",
        "daily_limit",
        "version",
        "preset",
        "short_filter",
    )
    list_filter = (
        "is_enabled",
        "is_shadow",
        "target",
        ("queue", ScopedFilter),
        ("workspace", ScopedFilter),
    )
    list_select_related = ("workspace", "queue")
    search_fields = ("name", "filter")
    ordering = ("-is_enabled", "-priority", "name")
    filter_horizontal = ("projects",)
    inlines = (RuleVersionInline,)
    actions = ("switch_on", "switch_to_shadow", "switch_off")

    @admin.display(description="filter", ordering="filter")
    def short_filter(self, rule: RoutingRule) -> str:
        return Truncator(rule.filter).chars(60)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("workspace",)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        assert isinstance(request.user, User)
        now = timezone.now()
        routing_rules.keep_version(form.instance, now=now, by=request.user)
        if "is_enabled" in form.changed_data:
            routing_rules.note_switch(form.instance, now=now, by=request.user)

    def _switch(self, request: HttpRequest, rules: QuerySet[Any], state: RoutingRule.State) -> None:
        assert isinstance(request.user, User)
        n, now = 0, timezone.now()
        for rule in rules:
            routing_rules.set_state(rule, state, now=now, by=request.user)
            n += 1
        self.message_user(request, f"{n} rules: {state.label}", messages.SUCCESS)

    @admin.action(description="Switch the selected rules on", permissions=["change"])
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._switch(request, queryset, RoutingRule.State.ON)

    @admin.action(description="Put the selected rules in shadow", permissions=["change"])
    def switch_to_shadow(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._switch(request, queryset, RoutingRule.State.SHADOW)

    @admin.action(description="Switch the selected rules off", permissions=["change"])
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._switch(request, queryset, RoutingRule.State.OFF)

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.preset_page)
        return [path("presets/", page, name="annotations_routingrule_presets"), *super().get_urls()]

    def preset_page(self, request: HttpRequest) -> HttpResponse:
        """Choose presets and their queue, and install them."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = PresetForm(request.POST or None)
        field: Any = form.fields["queue"]
        rows = AnnotationQueue.objects.filter(archived_at=None, queue_type="single").order_by(
            "name"
        )
        allowed = workspace_ids(request, MANAGE)
        field.queryset = rows if allowed is None else rows.filter(workspace__in=allowed)
        if request.method == "POST" and form.is_valid():
            assert isinstance(request.user, User)
            chosen = form.cleaned_data
            presets.install_presets(
                chosen["queue"].workspace,
                chosen["queue"],
                chosen["presets"],
                now=timezone.now(),
                by=request.user,
                is_enabled=chosen["is_enabled"],
            )
            self.message_user(
                request, f"{len(chosen['presets'])} presets installed", messages.SUCCESS
            )
            return HttpResponseRedirect(reverse("admin:annotations_routingrule_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Install rule presets",
            "form": form,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/annotations/routingrule/presets.html", context)
