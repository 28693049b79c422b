"""Experiments side by side: each one's answer to each example, with its feedback."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_GET

from datasets_app import differences, experiments
from datasets_app.differences import Differences
from datasets_app.experiments import ExampleRuns, ExampleRunsQuery
from datasets_app.models import Dataset
from datasets_app.paired import MIN_PAIRS
from observatory.feedback import summary
from observatory.runs import search, spending, stats
from observatory.runs.models import Project
from observatory.runs.search import RunRow
from observatory.web import shapes
from observatory.web.http import WebRequest, render_page, require
from observatory.workspaces.roles import Permission

MAX_COMPARED_EXPERIMENTS = 8
PAGE = 25


def _chosen(request: WebRequest) -> list[UUID]:
    """Return the experiments of `selectedSessions`: repeated, or joined by commas."""
    names = ",".join(request.GET.getlist("selectedSessions")).split(",")
    try:
        return list(dict.fromkeys(UUID(text) for text in names if text.strip()))[
            :MAX_COMPARED_EXPERIMENTS
        ]
    except ValueError:
        raise Http404("no such experiment") from None


@require_GET
@require(Permission.VIEW)
def compare(request: WebRequest, dataset_uuid: UUID) -> HttpResponse:
    """Show experiments of a dataset, example by example; by default the newest two."""
    dataset = Dataset.objects.filter(workspace=request.workspace, uuid=dataset_uuid).first()
    if dataset is None:
        raise Http404("no such dataset")
    every = Project.objects.filter(
        workspace=request.workspace, reference_dataset_id=dataset.uuid
    ).order_by("-start_time", "-pk")
    chosen = _chosen(request)
    # The older of the newest two comes first: it is what the other is compared with.
    projects = list(every.filter(uuid__in=chosen)) if chosen else list(every[:2])[::-1]
    projects.sort(key=lambda project: chosen.index(project.uuid) if chosen else 0)
    number = request.GET.get("page", "1")
    page = int(number) if number.isascii() and number.isdigit() and 0 < len(number) < 7 else 1
    rows, has_more, is_slow = [], False, False
    try:
        runs_query = ExampleRunsQuery(
            experiments=[project.uuid for project in projects],
            offset=(max(1, page) - 1) * PAGE,
            limit=PAGE + 1,
        )
        examples = (
            experiments.by_example(dataset, runs_query, payloads=("outputs",)) if projects else []
        )
    except search.TooSlow:
        is_slow = True
    else:
        has_more = len(examples) > PAGE
        rows = _rows(request, projects, examples[:PAGE])
    query = {"selectedSessions": ",".join(str(project.uuid) for project in projects)}
    context = {
        "workspace": request.workspace,
        "dataset": dataset,
        **_figures(request, projects),
        **_differences(dataset, projects),
        "others": every.exclude(pk__in=[project.pk for project in projects])[:50],
        "chosen": query["selectedSessions"],
        "rows": rows,
        "is_slow": is_slow,
        "next_query": urlencode({**query, "page": page + 1}) if has_more else "",
        "previous_query": urlencode({**query, "page": page - 1}) if page > 1 else "",
    }
    return render_page(
        request, "datasets/compare.html", "datasets/_compare_rows.html", context, section="datasets"
    )


WORDS = {
    "REGRESSED": "regressed",
    "IMPROVED": "improved",
    "NEUTRAL": "no difference shown",
    "insufficient_data": "too few examples",
}


def _differences(dataset: Dataset, projects: list[Project]) -> dict[str, Any]:
    """Return the tested differences from the first experiment; None of one experiment alone."""
    tested: Differences | None = None
    is_slow = False
    if len(projects) > 1:
        try:
            tested = differences.from_first(dataset, projects)
        except search.TooSlow:
            is_slow = True
    return {
        "differences": tested,
        "difference_rows": [
            {"row": row, "word": WORDS[row.word], "is_bad": row.word == "REGRESSED"}
            for row in (tested.rows if tested else ())
        ],
        "differences_are_slow": is_slow,
        "least_pairs": MIN_PAIRS,
    }


def _figures(request: WebRequest, projects: list[Project]) -> dict[str, Any]:
    """Return each experiment with its figures and the coverage of its means."""
    ids = [project.pk for project in projects]
    counted = stats.of_projects(request.workspace.pk, ids)
    judged = summary.project_stats(request.workspace.pk, ids)
    covered, n_common = experiments.coverage(request.workspace, projects)
    return {
        "experiments": [
            {
                "project": project,
                "stats": counted[project.pk],
                "covered": covered[project.pk],
                "judged": [
                    {"key": key, "figures": figures, "scored": covered[project.pk].by_key.get(key)}
                    for key, figures in judged.get(project.pk, {}).items()
                ],
            }
            for project in projects
        ],
        "n_common": n_common,
        "is_uneven": any(project.n_examples != n_common for project in covered.values()),
        "has_trials": any(project.most_trials > 1 for project in covered.values()),
        "has_errors": any(project.n_errors for project in covered.values()),
    }


def _rows(
    request: WebRequest, projects: list[Project], examples: list[ExampleRuns]
) -> list[dict[str, Any]]:
    runs = spending.with_subtree_usage(
        request.workspace.pk, [run for example in examples for run in example.runs]
    )
    whole = {run.id: run for run in runs}
    judged = summary.feedback_stats(request.workspace.pk, list(whole))

    def shown(run: RunRow) -> dict[str, Any]:
        return {
            "run": whole[run.id],
            "output": shapes.glance(run.outputs, shapes.ANSWER_KEYS),
            "stats": judged.get(run.id, {}),
        }

    return [
        {
            "example": example.revision.example,
            "question": shapes.glance(example.revision.inputs, shapes.QUESTION_KEYS),
            "reference": shapes.glance(example.revision.outputs, shapes.ANSWER_KEYS),
            "cells": [
                (project, [shown(run) for run in example.runs if run.project_id == project.pk])
                for project in projects
            ],
        }
        for example in examples
    ]
