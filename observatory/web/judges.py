"""The page of LLM judges beside people: who agrees with the consensus, and where not."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from annotations.agreement import calibration, judges, verdicts
from annotations.agreement.judges import Alignment, Share
from annotations.agreement.results import LEVEL
from annotations.models import AnnotationQueue, QueueItem
from annotations.question_kinds import kind_of
from observatory.web.agreement import WINDOWS, interval_words, window_of
from observatory.web.http import WebRequest, render_page, require
from observatory.web.queues import queue_or_404
from observatory.web.titles import titles_of_items
from observatory.workspaces.roles import Permission

N_LISTED = 25  # disagreements of a judge


def _share(share: Share | None) -> dict[str, Any] | None:
    if share is None or share.interval is None:
        return None
    low, high = share.interval
    return {"n": share.n, "value": share.value, "low": low, "high": high}


def _judge(request: WebRequest, queue: AnnotationQueue, found: Alignment) -> dict[str, Any]:
    listed = found.disagreements[:N_LISTED]
    items = QueueItem.objects.filter(queue=queue, uuid__in=[row.item_uuid for row in listed])
    names = titles_of_items(request.workspace, items)
    result = found.agreement
    return {
        "name": found.judge,
        "result": result,
        "value": None if result.value is None else verdicts.figure(result.value, queue.gate_target),
        "why": verdicts.why_undefined(result.reason),
        "interval": interval_words(result, queue.gate_target),
        "is_few": result.n_overlap < verdicts.GREYED_BELOW,
        "rates": [_share(found.sensitivity), _share(found.specificity)],
        "table": found.table,
        "n_off_scale": found.n_off_scale,
        "n_disagreements": len(found.disagreements),
        "disagreements": [(row.item_uuid, names[row.run_id]) for row in listed],
    }


@require_GET
@require(Permission.VIEW)
def judges_page(request: WebRequest, queue_uuid: UUID) -> HttpResponse:
    """Show, per rubric key, each version of a judge beside the consensus, and people's figure."""
    queue = queue_or_404(request, queue_uuid)
    name, window = window_of(request)
    now = timezone.now()
    since = now - window if window else None
    cards = []
    for agreement in calibration.report(queue, now=now, window=window):
        question, people = agreement.rubric_item, agreement.headline
        labels = kind_of(question).labels(question)
        aligned = judges.align(queue, question, since=since)
        rows = [_judge(request, queue, found) for found in aligned]
        for row in rows:
            row["rows"] = list(zip(labels, row["table"], strict=True))
        cards.append(
            {
                "question": question,
                "labels": labels,
                "judges": rows,
                "people": None
                if people.value is None
                else verdicts.figure(people.value, queue.gate_target),
                "people_name": verdicts.name_of(people.statistic),
                "people_interval": interval_words(people, queue.gate_target),
            }
        )
    context = {
        "workspace": request.workspace,
        "queue": queue,
        "cards": cards,
        "level": LEVEL,
        "windows": WINDOWS,
        "window": name,
    }
    return render_page(
        request, "annotations/judges.html", "annotations/_judges.html", context, section="queues"
    )
