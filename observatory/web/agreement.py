"""The agreement page: how far the reviewers of a queue agree, in words, figures and pictures."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from annotations.agreement import calibration, verdicts
from annotations.agreement.documents import lines
from annotations.agreement.results import LEVEL, Agreement, Reason, Warn
from annotations.models import AnnotationQueue, QueueItem
from observatory import csv_lines
from observatory.web.http import WebRequest, render_page, require
from observatory.web.queues import queue_or_404
from observatory.web.titles import titles_of_items
from observatory.workspaces.roles import Permission

WIDTH, LEFT, RIGHT = 640, 24, 24  # of the picture, in SVG units
LOW, HIGH = -0.2, 1.0
N_PAIRS = 40
N_DISPUTED = 25
WINDOWS: Final = {"30": "30 days", "90": "90 days", "365": "A year", "all": "All ratings"}
DEFAULT_WINDOW: Final = "90"

WARNINGS = {
    Warn.FEW_ITEMS: "Fewer than 50 items were rated twice: the figure can still move a lot.",
    Warn.FEW_PER_CATEGORY: "Some answers are rare; agreement on them is uncertain.",
    Warn.SKEWED_PREVALENCE: "One answer dominates. Kappa is then low even when reviewers agree; "
    "read it beside AC1 and percent agreement.",
    Warn.RATER_BIAS: "Reviewers differ in how often they pick each answer.",
    Warn.CONSTANT_RATER: "A reviewer gave the same answer every time.",
    Warn.WIDE_CI: "The interval is wide: more items rated by two would narrow it.",
    Warn.LOW_COVERAGE: "Only a small part of the items has two ratings.",
}

_ABOUT_HABITS = {Warn.SKEWED_PREVALENCE, Warn.RATER_BIAS, Warn.CONSTANT_RATER}


def warning_words(result: Agreement) -> list[str]:
    """Return the warnings of a result in words.

    Those about the reviewers' habits need as many items as a verdict: on a single item all
    reviewers gave "the same answer every time".
    """
    is_few = result.n_overlap < verdicts.GREYED_BELOW
    return [
        WARNINGS[code]
        for code in result.warnings
        if code in WARNINGS and not (is_few and code in _ABOUT_HABITS)
    ]


def axis_x(value: float) -> float:
    """Return the x of a coefficient in the picture, clamped to the start of the axis."""
    kept = min(max(value, LOW), HIGH)
    return LEFT + (kept - LOW) / (HIGH - LOW) * (WIDTH - LEFT - RIGHT)


def interval_words(result: Agreement, target: float) -> str:
    """Return the interval in words, "-" when there is none."""
    if result.ci is None:
        return "-"
    low, high = verdicts.figure(result.ci.low, target), verdicts.figure(result.ci.high, target)
    return f"{low} to {high}"


def picture(rows: list[tuple[str, Agreement]], target: float) -> dict[str, Any]:
    """Return the forest plot: one line per row with its interval, the target, ticks and sizes."""
    drawn = []
    rows = [(name, result) for name, result in rows if result.value is not None]
    for index, (name, result) in enumerate(rows):
        assert result.value is not None
        interval = result.ci
        drawn.append(
            {
                "name": name,
                "y": 30 + 30 * index,
                "x": f"{axis_x(result.value):.1f}",
                "low": f"{axis_x(interval.low):.1f}" if interval else None,
                "high": f"{axis_x(interval.high):.1f}" if interval else None,
                "few": result.n_overlap < verdicts.GREYED_BELOW,
            }
        )
    bottom = 30 + 30 * len(rows)
    return {
        "rows": drawn,
        "width": WIDTH,
        "height": bottom + 22,
        "bottom": bottom,
        "label_y": bottom + 14,
        "target_x": f"{axis_x(target):.1f}",
        "ticks": [
            {"x": f"{axis_x(step / 10):.1f}", "text": f"{step / 10:.1f}"}
            for step in range(-2, 11, 2)
        ],
    }


def _pair(
    pair: calibration.PairAgreement, categories: tuple[str, ...], target: float
) -> dict[str, Any]:
    result = pair.agreement
    rows = []
    for index, counts in enumerate(pair.table or ()):
        cells = [
            {"n": n, "look": "same" if index == column else "differ" if n else ""}
            for column, n in enumerate(counts)
        ]
        rows.append(
            {"label": categories[index] if index < len(categories) else index, "cells": cells}
        )
    return {
        "first": pair.first.name,
        "second": pair.second.name,
        "result": result,
        "value": None if result.value is None else verdicts.figure(result.value, target),
        "interval": interval_words(result, target),
        "ac1": result.companions.get("ac1"),
        "rows": rows,
        "is_weak": pair.is_weak,
        "why": verdicts.why_undefined(result.reason),
    }


def weakest_first(pair: calibration.PairAgreement) -> tuple[bool, bool, float, str, str]:
    """Return the sort key of a pair: by value, after them those of few items, last the undefined.

    A value on fewer than 20 items is mostly chance: at the top it would hide the weak pairs.
    """
    result = pair.agreement
    value = 0.0 if result.value is None else result.value
    is_few = result.n_overlap < verdicts.GREYED_BELOW
    return result.value is None, is_few, value, pair.first.name, pair.second.name


def _card(
    request: WebRequest,
    agreement: calibration.KeyAgreement,
    queue: AnnotationQueue,
    person: str,
    since: datetime | None,
) -> dict[str, Any]:
    pairs = sorted(agreement.pairs, key=weakest_first)
    if person:
        pairs = [pair for pair in pairs if person in (pair.first.name, pair.second.name)]
    overlapping = [pair for pair in pairs if pair.agreement.n_overlap]
    shown = (overlapping or pairs)[:N_PAIRS]
    plotted = [(f"{p.first.name} and {p.second.name}", p.agreement) for p in shown[:8]]
    if len(overlapping) > 1:
        plotted = [("all reviewers", agreement.group), *plotted]
    disputed: list[dict[str, Any]] = []
    if agreement.n_disputed:
        disputed = list(
            calibration.disputed_items(queue, agreement.rubric_item, since)[:N_DISPUTED]
        )
        items = QueueItem.objects.filter(pk__in=[row["item_id"] for row in disputed])
        names = titles_of_items(request.workspace, items)
        for row in disputed:
            row["name"] = names[row["item__run_id"]]
    headline, target = agreement.headline, agreement.gate.target
    return {
        "found": agreement,
        "headline": headline,
        "name": verdicts.name_of(headline.statistic),
        "word": verdicts.label(headline.value) if headline.value is not None else "",
        "value": None if headline.value is None else verdicts.figure(headline.value, target),
        "interval": interval_words(headline, target),
        "verdict": str(agreement.gate.verdict),
        "set_aside": agreement.excluded.words,
        "is_text": headline.reason == Reason.UNSUPPORTED_SCALE,
        "ac1": headline.companions.get("ac1"),
        "picture": picture(plotted, target)
        if any(r.value is not None for _, r in plotted)
        else None,
        "pairs": [_pair(pair, agreement.categories, target) for pair in shown],
        "n_more_pairs": len(pairs) - len(shown),
        "disputed": disputed,
        "warnings": warning_words(headline),
    }


@require_GET
@require(Permission.VIEW)
def agreement_page(request: WebRequest, queue_uuid: UUID) -> HttpResponse:
    """Show, per rubric key: the verdict in words, kappa with interval, pairs, disputed items.

    `?window=` is a key of WINDOWS, 90 days unless given; `?reviewer=` keeps the pairs of one.
    """
    queue = queue_or_404(request, queue_uuid)
    name, window = window_of(request)
    now = timezone.now()
    agreements = calibration.report(queue, now=now, window=window)
    people = sorted({reviewer.name for key in agreements for reviewer in key.reviewers})
    person = request.GET.get("reviewer", "")
    person = person if person in people else ""
    since = now - window if window else None
    context = {
        "workspace": request.workspace,
        "queue": queue,
        "cards": [_card(request, key, queue, person, since) for key in agreements],
        "target": queue.gate_target,
        "least": verdicts.GREYED_BELOW,
        "level": LEVEL,
        "windows": WINDOWS,
        "window": name,
        "people": people,
        "person": person,
    }
    return render_page(
        request,
        "annotations/agreement.html",
        "annotations/_agreement.html",
        context,
        section="queues",
    )


def window_of(request: WebRequest) -> tuple[str, timedelta | None]:
    """Return the name of the window that was chosen, and its length: None for all ratings."""
    name = request.GET.get("window", DEFAULT_WINDOW)
    name = name if name in WINDOWS else DEFAULT_WINDOW
    return name, None if name == "all" else timedelta(days=int(name))


@require_GET
@require(Permission.VIEW)
def agreement_file(request: WebRequest, queue_uuid: UUID) -> HttpResponse:
    """Return the figures of the page, every pair included, as CSV for a spreadsheet."""
    queue = queue_or_404(request, queue_uuid)
    _, window = window_of(request)
    report = calibration.report(queue, now=timezone.now(), window=window)
    answer = HttpResponse(
        csv_lines.written(lines(report), is_guarded=True), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="agreement-{queue.uuid}.csv"'
    return answer
