"""Public reads by share token: a run and the runs below it, or the traces of a thread."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.kit import streamed
from observatory.api.kit.base import ListedView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.runs.query import query_errors
from observatory.api.v2 import fields
from observatory.api.v2 import schemas as shapes
from observatory.runs import search, sharing, thread_sharing
from observatory.runs.grants import Grant
from observatory.runs.search import RunRow
from observatory.workspaces.models import Workspace


@dataclass(frozen=True)
class Opened:
    """What a token opens: how to read one run, list all of them, and show each to a visitor."""

    workspace: Workspace
    grant: Grant
    read: Callable[[UUID], RunRow | None]
    run_ids: Callable[[], list[UUID]]
    seen_as: Callable[[RunRow], RunRow]


def opened_or_404(token: str) -> Opened:
    """Return what `token` opens. Raises NotFound."""
    uuid = uuid_or_404(token)
    if (run := sharing.shared(uuid)) is not None:
        return Opened(
            run.workspace,
            Grant.of_share(run.token),
            functools.partial(sharing.read, run),
            functools.partial(sharing.ordered_ids, run),
            functools.partial(sharing.as_root, run),
        )
    if (thread := thread_sharing.shared(uuid)) is not None:
        return Opened(
            thread.project.workspace,
            Grant.of_share(thread.token),
            functools.partial(thread_sharing.read, thread),
            functools.partial(thread_sharing.run_ids, thread),
            thread_sharing.as_shared,
        )
    raise NotFound("Nothing is shared under this token")


class SharedV2(ListedView):
    """A view of what is shared. The token in the path is the only credential."""

    authentication_classes = ()
    permission_classes = ()
    is_public = True

    def shown(
        self, opened: Opened, rows: Sequence[RunRow], selected: frozenset[str]
    ) -> list[dict[str, Any]]:
        return fields.runs_out(
            opened.workspace,
            rows,
            selected,
            self.request,
            grant=opened.grant,
            seen_as=opened.seen_as,
        )


class SharedRunV2(SharedV2):
    """GET /api/v2/public/{token}/run/{id} (client.public.runs.retrieve): a shared run."""

    @endpoint(query=shapes.SharedReadQueryV2, answer=shapes.RunV2)
    def get(
        self, request: Request, token: str, run_id: str, query: shapes.SharedReadQueryV2
    ) -> Response:
        opened = opened_or_404(token)
        selected = fields.selected(query.selects, fields.PUBLIC)
        row = opened.read(uuid_or_404(run_id))
        if row is None or query.start_time not in (None, row.start_time):
            raise NotFound("Run not found")
        (run,) = self.shown(opened, [row], selected)
        return Response(run)


class SharedRunQueriesV2(SharedV2):
    """POST /api/v2/public/{token}/runs/query (client.public.runs.query): all of a shared trace."""

    @endpoint(body=shapes.SharedQueryV2, answer=shapes.RunListV2)
    def post(self, request: Request, token: str, body: shapes.SharedQueryV2) -> HttpResponseBase:
        opened = opened_or_404(token)
        selected = fields.selected(body.selects, fields.PUBLIC)
        with query_errors():
            ids = opened.run_ids()
        pages = search.chunked(opened.workspace, ids, payloads=fields.payloads(selected))
        items = (run for page in pages for run in self.shown(opened, page, selected))
        return streamed.answer(streamed.members(items=items))
