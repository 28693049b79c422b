"""The trends page: feedback over time, one chart per key."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from observatory.feedback import trends
from observatory.feedback.models import Feedback
from observatory.feedback.trends import Figures, Trend, Window
from observatory.runs.models import Project
from observatory.web.http import WebRequest, render_page, require
from observatory.workspaces.roles import Permission

SPANS = (7, 30, 90)  # days
FEW = 30  # feedback per day below which a dot is hollow
WIDTH, LEFT, RIGHT, TOP = 640, 40, 12, 10  # of the picture, in SVG units
PLOT, GAP, BARS = 130, 10, 34
PARTS = 8  # fills of the answers of a nominal key: further answers share the last
SOURCES = {
    Feedback.Source.APP: "people",
    Feedback.Source.API: "API",
    Feedback.Source.MODEL: "model",
    Feedback.Source.AUTO_EVAL: "automatic evaluator",
}


def _points(places: list[tuple[float, float | None]]) -> list[str]:
    """Return the lines through known figures: a day without one breaks the line."""
    lines: list[list[str]] = [[]]
    for x, value in places:
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{x:.1f},{TOP + (1 - value) * PLOT:.1f}")
    return [" ".join(line) for line in lines if len(line) > 1]


def _columns(trend: Trend, days: list[date], xs: list[float], step: float) -> list[dict[str, Any]]:
    """Return the answers of a nominal key as one stacked column per day, 0 to 100 %."""
    parts = []
    for x, day in zip(xs, days, strict=True):
        below = 0.0
        for index, share in enumerate(trend.days_shares.get(day, [])):
            if share.n:
                below += share.share
                parts.append(
                    {
                        "x": f"{x - step * 0.35:.1f}",
                        "y": f"{TOP + (1 - below) * PLOT:.1f}",
                        "width": f"{step * 0.7:.1f}",
                        "height": f"{share.share * PLOT:.1f}",
                        "part": min(index, PARTS - 1),
                    }
                )
    return parts


def picture(trend: Trend, days: list[date]) -> dict[str, Any]:
    """Return the chart of a key: shares from 0 to 100 % as lines, the number per day as bars."""
    step = (WIDTH - LEFT - RIGHT) / len(days)
    of_day = [trend.days.get(day, Figures(0)) for day in days]
    xs = [LEFT + step * (index + 0.5) for index in range(len(days))]
    most = max(figures.n for figures in of_day) or 1
    base = TOP + PLOT + GAP + BARS
    interval = max(1, len(days) // 6)
    return {
        "width": WIDTH,
        "height": base + 18,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "base": base,
        "label_y": base + 14,
        "most": most,
        "most_y": TOP + PLOT + GAP + 8,
        "share": _points([(x, f.share_positive) for x, f in zip(xs, of_day, strict=True)]),
        "level": _points([(x, f.level) for x, f in zip(xs, of_day, strict=True)]),
        "is_judged": trend.whole.n_placed > 0,
        "parts": _columns(trend, days, xs, step),
        "dots": [
            {
                "x": f"{x:.1f}",
                "y": f"{TOP + (1 - f.share_positive) * PLOT:.1f}",
                "few": f.n_placed < FEW,
            }
            for x, f in zip(xs, of_day, strict=True)
            if f.share_positive is not None
        ],
        "bars": [
            {
                "x": f"{x - step * 0.35:.1f}",
                "y": f"{base - BARS * f.n / most:.1f}",
                "width": f"{step * 0.7:.1f}",
                "height": f"{BARS * f.n / most:.1f}",
            }
            for x, f in zip(xs, of_day, strict=True)
            if f.n
        ],
        "grid": [
            {"y": f"{TOP + (1 - share) * PLOT:.1f}", "text": f"{share:.0%}"}
            for share in (0.0, 0.5, 1.0)
        ],
        "ticks": [
            {"x": f"{x:.1f}", "text": f"{day:%d %b}"}
            for index, (x, day) in enumerate(zip(xs, days, strict=True))
            if index % interval == interval // 2
        ],
    }


def _card(trend: Trend, days: list[date]) -> dict[str, Any]:
    return {
        "trend": trend,
        "picture": picture(trend, days),
        "rows": [
            {"day": day, "figures": trend.days[day], "shares": trend.days_shares.get(day, [])}
            for day in reversed(days)
            if day in trend.days
        ],
        "shares": [
            {"said": share, "part": min(index, PARTS - 1)}
            for index, share in enumerate(trend.shares)
        ],
        "is_few": trend.whole.n_placed + sum(share.n for share in trend.shares) < FEW,
    }


def _project(request: WebRequest) -> Project | None:
    named = request.GET.get("project", "")
    if not named:
        return None
    try:
        project = Project.objects.filter(workspace=request.workspace, uuid=UUID(named)).first()
    except ValueError:
        project = None
    if project is None:
        raise Http404("no such project")
    return project


def _window(request: WebRequest, project: Project | None, now: datetime) -> tuple[Window, int]:
    option = request.GET.get("days", "")
    n_days = int(option) if option in {str(days) for days in SPANS} else SPANS[1]
    source = request.GET.get("source", "")
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    window = Window(
        since=today - timedelta(days=n_days - 1),
        until=today + timedelta(days=1),
        project=project.pk if project else None,
        key=request.GET.get("key", "").replace("\x00", "") or None,
        source=source if source in SOURCES else None,
    )
    return window, n_days


@require_GET
@require(Permission.VIEW)
def trend_page(request: WebRequest) -> HttpResponse:
    """Show, per key: positive share, mean place and number per day, and the commonest words.

    Answers that are still hidden by blind reviewing are not counted (promise C4).
    """
    project = _project(request)
    window, n_days = _window(request, project, timezone.now())
    days = [(window.since + timedelta(days=offset)).date() for offset in range(n_days)]
    trends_by_key = trends.read(request.workspace, window)
    context = {
        "workspace": request.workspace,
        "project": project,
        "projects": Project.objects.filter(workspace=request.workspace).order_by("name")[:200],
        "cards": [_card(trend, days) for trend in trends_by_key],
        "keys": trends.keys(request.workspace, window),
        "key": window.key or "",
        "source": window.source or "",
        "sources": SOURCES.items(),
        "n_days": n_days,
        "spans": SPANS,
        "few": FEW,
        "max_keys": trends.MAX_KEYS,
        "is_narrowed": bool(project or window.key or window.source),
    }
    return render_page(
        request, "feedback/trends.html", "feedback/_trends.html", context, section="trends"
    )
