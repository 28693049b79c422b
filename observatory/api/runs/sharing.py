"""/runs/{id}/share, and what a share token opens without a key: a run and what ran below it."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.feedback import feedback
from observatory.api.feedback.schemas import Feedback, FeedbackFilter
from observatory.api.kit import streamed
from observatory.api.kit.base import ListedView, WorkspaceView, uuid_or_404
from observatory.api.kit.bodies import read_query
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.types import Message
from observatory.api.runs import schemas as shapes
from observatory.api.runs.query import page_size, query_errors, selected
from observatory.api.runs.read import DEFAULT, WHOLE, payloads, runs_out
from observatory.exact import dumps
from observatory.runs import search, sharing
from observatory.runs.grants import Grant
from observatory.runs.models import RunShare
from observatory.runs.search import RunRow

HIDDEN_FIELDS = frozenset({"in_dataset", "last_queued_at", "reference_dataset_id", "share_token"})
"""Fields that a visitor does not see: they are about other things than the run."""


def _share_shown(share: RunShare) -> dict[str, Any]:
    return {"run_id": share.run_id, "share_token": share.token}


class RunSharing(WorkspaceView):
    """PUT (share_run), GET (read_run_shared_link) and DELETE (unshare_run) /runs/{id}/share."""

    @endpoint(answer=shapes.RunShare | None)
    def get(self, request: Request, run_id: str) -> HttpResponse:
        run = self._run(run_id)
        share = sharing.of_run(self.workspace, run)
        answer = None if share is None else _share_shown(share)  # null: the SDKs read "not shared"
        return HttpResponse(dumps(answer), content_type="application/json")

    @endpoint(body=shapes.RunShareCreate, answer=shapes.RunShare)
    def put(self, request: Request, run_id: str, body: shapes.RunShareCreate) -> Response:
        try:
            share = sharing.share(self.workspace, uuid_or_404(run_id), token=body.share_token)
        except sharing.GuessableToken as error:
            raise Unprocessable(str(error)) from None
        if share is None:
            raise NotFound("Run not found")
        return Response(_share_shown(share))

    @endpoint(answer=Message)
    def delete(self, request: Request, run_id: str) -> Response:
        sharing.unshare(self.workspace, self._run(run_id))
        return Response({"message": "Run is not shared any more"})

    def _run(self, run_id: str) -> UUID:
        uuid = uuid_or_404(run_id)
        if not search.by_ids(self.workspace, [uuid], payloads=()):
            raise NotFound("Run not found")
        return uuid


class SharedRunView(ListedView):
    """A view of one shared run. The token in the path is the only credential."""

    authentication_classes = ()
    permission_classes = ()
    is_public = True

    def share(self, token: str) -> RunShare:
        """Return what `token` opens. Raises NotFound."""
        share = sharing.shared(uuid_or_404(token))
        if share is None:
            raise NotFound("Nothing is shared under this token")
        return share


def shared_out(
    share: RunShare, rows: Iterable[RunRow], fields: frozenset[str], request: Request
) -> list[dict[str, Any]]:
    """Return shared runs as a visitor sees them: their tree begins at the shared run.

    `app_path` leads to the public page, `session_id` is null, and `share_token` is added.
    """
    runs = runs_out(
        share.workspace,
        rows,
        fields - HIDDEN_FIELDS,
        request,
        grant=Grant.of_share(share.token),
        seen_as=functools.partial(sharing.as_root, share),
    )
    for run in runs:
        below = "" if run["id"] == share.run_id else f"/{run['id']}"
        if "app_path" in run:
            run["app_path"] = f"/public/{share.token}/r{below}"
        run["share_token"] = share.token
    return runs


class SharedRun(SharedRunView):
    """GET /public/{token}/run[/{run_id}] (read_shared_run): the shared run, or one below it."""

    @endpoint(answer=shapes.SharedRun)
    def get(self, request: Request, token: str, run_id: str | None = None) -> Response:
        share = self.share(token)
        row = sharing.read(share, None if run_id is None else uuid_or_404(run_id))
        if row is None:
            raise NotFound("Run not found")
        (run,) = shared_out(share, [row], WHOLE, request)
        return Response(run)


class SharedRunQueries(SharedRunView):
    """POST /public/{token}/runs/query (list_shared_runs): the shared runs, page after page."""

    @endpoint(body=shapes.SharedRunQuery, answer=shapes.SharedRuns)
    def post(self, request: Request, token: str, body: shapes.SharedRunQuery) -> Response:
        share, fields = self.share(token), selected(body.select)
        with query_errors():
            page = sharing.query(
                share,
                ids=body.id,
                limit=page_size(body.limit),
                cursor=body.cursor or None,
                payloads=payloads(fields),
            )
        runs = shared_out(share, page.runs, fields, request)
        return Response({"runs": runs, "cursors": {"next": page.next_cursor, "prev": None}})


class SharedRuns(SharedRunView):
    """GET /public/{token}/runs?id= (JavaScript's listSharedRuns, which forgets the `?`): an array.

    The token in the path decides, not the one in the query. The client asks once, so all of them.
    """

    @endpoint(query=shapes.SharedRunsQuery, answer=list[shapes.SharedRun])
    def get(
        self, request: Request, token: str, query: shapes.SharedRunsQuery, rest: str = ""
    ) -> HttpResponseBase:
        share = self.share(token)
        in_path = read_query(shapes.SharedRunsQuery, QueryDict(rest))
        with query_errors():
            ids = sharing.ordered_ids(share, in_path.id or query.id)
        pages = search.chunked(share.workspace, ids, payloads=payloads(DEFAULT))
        runs = (run for page in pages for run in shared_out(share, page, DEFAULT, request))
        return streamed.answer(streamed.array(runs))


class SharedFeedback(SharedRunView):
    """GET /public/{token}/feedbacks?run=&key=: what was thought of the runs, newest first."""

    @endpoint(query=FeedbackFilter, answer=list[Feedback])
    def get(self, request: Request, token: str, query: FeedbackFilter) -> HttpResponseBase:
        share = self.share(token)
        ids = sharing.run_ids(share)
        rows = feedback.readable(share.workspace)
        return feedback.listed(
            rows.filter(feedback.conditions(query), run_id__in=ids),
            query.window,
            lambda row: {**feedback.shown_publicly(row, share.token), "session_id": None},
        )
