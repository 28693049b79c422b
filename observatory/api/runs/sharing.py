"""/runs/{id}/share, and what a share token opens without a key: a run and what ran below it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from observatory.api.feedback import feedback
from observatory.api.feedback.schemas import Feedback, FeedbackQuery
from observatory.api.kit import parameters, streamed
from observatory.api.kit.base import ListedView, WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.types import Message
from observatory.api.runs import schemas as shapes
from observatory.api.runs.query import TooSlow, limit_of, selected, text_of, uuids_of
from observatory.api.runs.read import DEFAULT, WHOLE, payloads, runs_out
from observatory.exact import dumps
from observatory.runs import search, sharing
from observatory.runs.grants import Grant
from observatory.runs.models import RunShare
from observatory.runs.search import RunRow

UNSEEN = frozenset({"in_dataset", "last_queued_at", "reference_dataset_id", "share_token"})
"""What is not told of a shared run, because it speaks of other things than the run."""


def _share_shown(share: RunShare) -> dict[str, Any]:
    return {"run_id": share.run_id, "share_token": share.token}


class RunSharing(WorkspaceView):
    """PUT (share_run), GET (read_run_shared_link) and DELETE (unshare_run) /runs/{id}/share."""

    @endpoint(answer=shapes.RunShare | None)
    def get(self, request: Request, run_id: str) -> HttpResponse:
        run = self._run(run_id)
        found = sharing.of_run(self.workspace, run)
        answer = None if found is None else _share_shown(found)  # null: the SDKs read "not shared"
        return HttpResponse(dumps(answer), content_type="application/json")

    @endpoint(body=shapes.RunShareCreate, answer=shapes.RunShare)
    def put(self, request: Request, run_id: str) -> Response:
        body: Any = request.data
        if not isinstance(body, dict):
            raise Unprocessable("The body must be a JSON object")
        token = parameters.sent_uuid(body, "share_token")
        try:
            found = sharing.share(self.workspace, uuid_or_404(run_id), token=token)
        except sharing.GuessableToken as error:
            raise Unprocessable(str(error)) from None
        if found is None:
            raise NotFound("Run not found")
        return Response(_share_shown(found))

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
        found = sharing.shared(uuid_or_404(token))
        if found is None:
            raise NotFound("Nothing is shared under this token")
        return found

    def page(
        self, found: RunShare, body: Mapping[str, Any], wanted: frozenset[str]
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of shared runs and the cursor of the next."""
        try:
            page = sharing.query(
                found,
                ids=uuids_of(body, "id"),
                limit=limit_of(body),
                cursor=text_of(body, "cursor"),
                payloads=payloads(wanted),
            )
        except search.BadCursor as error:
            raise ParseError(f"cursor: {error}") from None
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        return shared_out(found, page.runs, wanted, self.request), page.next_cursor


def shared_out(
    found: RunShare, rows: Iterable[RunRow], wanted: frozenset[str], request: Request
) -> list[dict[str, Any]]:
    """Return shared runs as a visitor sees them: their tree begins at the shared run.

    `app_path` leads to the public page, `session_id` is null, and `share_token` is told.
    """
    runs = runs_out(
        found.workspace,
        rows,
        wanted - UNSEEN,
        request,
        grant=Grant.of_share(found.token),
        seen_as=functools.partial(sharing.as_root, found),
    )
    for run in runs:
        below = "" if run["id"] == found.run_id else f"/{run['id']}"
        if "app_path" in run:
            run["app_path"] = f"/public/{found.token}/r{below}"
        run["share_token"] = found.token
    return runs


class SharedRun(SharedRunView):
    """GET /public/{token}/run[/{run_id}] (read_shared_run): the shared run, or one below it."""

    @endpoint(answer=shapes.SharedRun)
    def get(self, request: Request, token: str, run_id: str | None = None) -> Response:
        found = self.share(token)
        row = sharing.read(found, None if run_id is None else uuid_or_404(run_id))
        if row is None:
            raise NotFound("Run not found")
        (run,) = shared_out(found, [row], WHOLE, request)
        return Response(run)


class SharedRunQueries(SharedRunView):
    """POST /public/{token}/runs/query (list_shared_runs): the shared runs, page after page."""

    @endpoint(body=shapes.SharedRunQuery, answer=shapes.SharedRuns)
    def post(self, request: Request, token: str) -> Response:
        found, body = self.share(token), request.data
        if not isinstance(body, dict):
            raise ParseError("The body must be a JSON object")
        runs, cursor = self.page(found, body, selected(body))
        return Response({"runs": runs, "cursors": {"next": cursor, "prev": None}})


class SharedRuns(SharedRunView):
    """GET /public/{token}/runs?id= (JavaScript's listSharedRuns, which forgets the `?`): an array.

    The token in the path decides, not the one in the query. The client asks once, so all of them.
    """

    @endpoint(query=shapes.SharedRunsQuery, answer=list[shapes.SharedRun])
    def get(self, request: Request, token: str, rest: str = "") -> HttpResponseBase:
        found = self.share(token)
        asked = parse_qs(rest).get("id") or parameters.listed(request, "id")
        try:
            ids = sharing.ordered_ids(found, uuids_of({"id": asked or None}, "id"))
        except search.TooSlow as error:
            raise TooSlow(str(error)) from None
        pages = search.chunked(found.workspace, ids, payloads=payloads(DEFAULT))
        listed = (run for page in pages for run in shared_out(found, page, DEFAULT, request))
        return streamed.answer(streamed.array(listed))


class SharedFeedback(SharedRunView):
    """GET /public/{token}/feedbacks?run=&key=: what was thought of the runs, newest first."""

    @endpoint(query=FeedbackQuery, answer=list[Feedback])
    def get(self, request: Request, token: str) -> HttpResponseBase:
        found = self.share(token)
        ids = sharing.run_ids(found)
        rows = feedback.readable(found.workspace)
        return feedback.listed(
            rows.filter(feedback.filters(request), run_id__in=ids),
            request,
            lambda one: {**feedback.shown_publicly(one, found.token), "session_id": None},
        )
