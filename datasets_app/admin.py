"""Admin of datasets: read-only, since stored revisions are never edited; and the harvest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from annotations.admin import QUEUE_INLINES
from annotations.models import AnnotationQueue
from datasets_app import catalogue
from datasets_app.models import (
    Dataset,
    DatasetTag,
    DatasetVersion,
    Example,
    ExampleRevision,
    Harvest,
    TrainingExport,
)
from observatory.workspaces.admin import ScopedFilter, WorkspaceAdmin, WorkspaceInline
from observatory.workspaces.roles import Permission

if TYPE_CHECKING:  # it cannot be subscripted at run time
    HarvestBase = BaseInlineFormSet[Harvest, AnnotationQueue, Any]
else:
    HarvestBase = BaseInlineFormSet

SHOWN = 2_000  # characters of a document


def _beginning(document: str | None) -> str:
    if document is None:
        return "-"
    return document if len(document) <= SHOWN else f"{document[:SHOWN]}... ({len(document):,})"


class HarvestFormSet(HarvestBase):
    def clean(self) -> None:
        """Reject a dataset of another workspace than the queue's."""
        super().clean()
        for form in self.forms:
            dataset = form.cleaned_data.get("dataset") if hasattr(form, "cleaned_data") else None
            if dataset is not None and dataset.workspace_id != self.instance.workspace_id:
                form.add_error("dataset", "This dataset is not in the queue's workspace")


class HarvestInline(WorkspaceInline):
    """The dataset for the queue's completed items."""

    model = Harvest
    formset = HarvestFormSet
    workspace_path = "queue__workspace"
    may_add = may_change = may_delete = Permission.MANAGE_QUEUES
    fields = ("dataset", "accepts_unchanged", "accepts_disputed", "is_enabled")
    verbose_name_plural = "harvest: completed items become examples of"


QUEUE_INLINES.add(HarvestInline)


class TagInline(WorkspaceInline):
    model = DatasetTag
    workspace_path = "dataset__workspace"
    fields = readonly_fields = ("name", "version")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("version")


@admin.register(Dataset)
class DatasetAdmin(WorkspaceAdmin):
    list_display = (
        "name",
        "workspace",
        "data_type",
        "n_examples",
        "n_experiments",
        "created_at",
        "modified_at",
    )
    list_filter = (("workspace", ScopedFilter),)
    list_select_related = ("workspace",)
    search_fields = ("name",)
    ordering = ("name", "pk")
    inlines = (TagInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return catalogue.counted(super().get_queryset(request))

    @admin.display(description="examples", ordering="example_count")
    def n_examples(self, dataset: Any) -> int:
        return int(dataset.example_count)

    @admin.display(description="experiments", ordering="session_count")
    def n_experiments(self, dataset: Any) -> int:
        return int(dataset.session_count)


@admin.register(DatasetVersion)
class DatasetVersionAdmin(WorkspaceAdmin):
    workspace_path = "dataset__workspace"
    list_display = ("as_of", "dataset")
    list_filter = (("dataset", ScopedFilter),)
    list_select_related = ("dataset",)
    ordering = ("-as_of", "-pk")


class RevisionInline(WorkspaceInline):
    """The revisions of the example, newest first."""

    model = ExampleRevision
    workspace_path = "dataset__workspace"
    fields = readonly_fields = (
        "valid_from",
        "valid_to",
        "inputs_shown",
        "outputs_shown",
        "metadata",
        "splits",
    )
    ordering = ("-valid_from",)

    @admin.display(description="inputs")
    def inputs_shown(self, revision: ExampleRevision) -> str:
        return _beginning(revision.inputs)

    @admin.display(description="outputs")
    def outputs_shown(self, revision: ExampleRevision) -> str:
        return _beginning(revision.outputs)


@admin.register(Example)
class ExampleAdmin(WorkspaceAdmin):
    list_display = ("uuid", "dataset", "created_at", "source_run_id", "origin")
    list_filter = (("dataset", ScopedFilter), ("source_run_id", admin.EmptyFieldListFilter))
    list_select_related = ("dataset",)
    search_fields = ("=uuid", "=source_run_id")
    ordering = ("-created_at", "-pk")
    inlines = (RevisionInline,)


@admin.register(TrainingExport)
class TrainingExportAdmin(WorkspaceAdmin):
    """What was exported to train with, by whom, and why where agreement was not proven."""

    list_display = (
        "dataset_name",
        "form",
        "exported_at",
        "exported_by",
        "n_lines",
        "override_reason",
    )
    list_filter = (("workspace", ScopedFilter), "form")
    list_select_related = ("exported_by",)
    search_fields = ("dataset_name", "=sha256")
    ordering = ("-exported_at", "-pk")
