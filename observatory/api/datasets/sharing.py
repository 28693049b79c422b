"""/datasets/{id}/share, and what a share token opens without a key."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from datasets_app import catalogue, schemas, selection, sharing
from datasets_app.models import DatasetShare, ExampleRevision
from observatory.api.datasets import schemas as shapes
from observatory.api.datasets.datasets import dataset_or_404, instant_or_404, shown
from observatory.api.datasets.examples import revisions_of, selection_of
from observatory.api.datasets.examples import shown as example_shown
from observatory.api.datasets.experiments import comparisons_shown
from observatory.api.feedback.feedback import listed, readable, shown_publicly
from observatory.api.feedback.schemas import Feedback as FeedbackShape
from observatory.api.kit import streamed
from observatory.api.kit.base import ListedView, WorkspaceView, uuid_or_404
from observatory.api.kit.bodies import PageQuery
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.types import Message, Object
from observatory.api.projects.schemas import Session
from observatory.api.projects.sessions import listed_out
from observatory.runs.catalogue import ProjectQuery

MAX_EXPERIMENTS = 100  # of one dataset, in an answer for many


def _share_shown(share: DatasetShare) -> dict[str, Any]:
    return {"dataset_id": share.dataset.uuid, "share_token": share.token}


class DatasetSharing(WorkspaceView):
    """PUT (share_dataset), GET (read_dataset_shared_schema) and DELETE /datasets/{id}/share."""

    @endpoint(answer=shapes.Share)
    def get(self, request: Request, dataset_id: str) -> Response:
        share = DatasetShare.objects.filter(dataset=dataset_or_404(self, dataset_id)).first()
        if share is None:
            raise NotFound("Dataset is not shared")
        return Response(_share_shown(share))

    @endpoint(query=shapes.ShareQuery, answer=shapes.Share)
    def put(self, request: Request, dataset_id: str, query: shapes.ShareQuery) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        share = sharing.share(dataset, shows_experiments=query.share_projects)
        return Response(_share_shown(share))

    @endpoint(answer=Message)
    def delete(self, request: Request, dataset_id: str) -> Response:
        sharing.unshare(dataset_or_404(self, dataset_id))
        return Response({"message": "Dataset is not shared any more"})


class SharedView(ListedView):
    """A view of one shared dataset. The token in the path is the only credential."""

    authentication_classes = ()
    permission_classes = ()
    is_public = True

    def share(self, token: str) -> DatasetShare:
        share = sharing.shared(uuid_or_404(token))
        if share is None:
            raise NotFound("Nothing is shared under this token")
        return share

    def open_share(self, token: str) -> DatasetShare:
        """Return the share if it shows experiments too. Raises 404, as without a share."""
        share = self.share(token)
        if not share.shows_experiments:
            raise NotFound("Nothing is shared under this token")
        return share


class SharedDataset(SharedView):
    """GET /public/{token}/datasets (read_shared_dataset)."""

    @endpoint(answer=shapes.Dataset)
    def get(self, request: Request, token: str) -> Response:
        share = self.share(token)
        datasets = catalogue.of_workspace(share.dataset.workspace).select_related("workspace")
        return Response(shown(datasets.get(pk=share.dataset.pk)))


def _revisions(share: DatasetShare, query: shapes.ExampleFilterQuery) -> QuerySet[ExampleRevision]:
    """Return the shared examples that `query` asks for. Raises 404."""
    dataset = share.dataset
    as_of = instant_or_404(dataset, query.as_of)
    return selection.revisions(dataset.workspace, selection_of(query, dataset, as_of))


class SharedExamples(SharedView):
    """GET /public/{token}/examples (list_shared_examples)."""

    @endpoint(query=shapes.SharedExampleQuery, answer=list[shapes.Example])
    def get(
        self, request: Request, token: str, query: shapes.SharedExampleQuery
    ) -> HttpResponseBase:
        window = slice(query.offset, query.offset + query.limit)
        pages = revisions_of(_revisions(self.share(token), query), window)
        rows = (example_shown(revision) for page in pages for revision in page)
        return streamed.answer(streamed.array(rows))


class SharedExampleCount(SharedView):
    """GET /public/{token}/examples/count."""

    @endpoint(query=shapes.ExampleFilterQuery, answer=int)
    def get(self, request: Request, token: str, query: shapes.ExampleFilterQuery) -> Response:
        return Response(_revisions(self.share(token), query).order_by().count())


class SharedSessions(SharedView):
    """GET /public/{token}/datasets/sessions (list_shared_projects): the dataset's experiments."""

    @endpoint(query=shapes.SharedSessionQuery, answer=list[Session])
    def get(self, request: Request, token: str, query: shapes.SharedSessionQuery) -> Response:
        dataset = self.open_share(token).dataset
        projects = ProjectQuery(
            uuids=query.id or None,
            name=query.name,
            name_contains=query.name_contains,
            reference_datasets=[dataset.uuid],
        )
        return Response(listed_out(dataset.workspace, projects, query.window))


class SharedComparisons(SharedView):
    """GET /public/{token}/datasets/comparative."""

    @endpoint(query=PageQuery, answer=list[shapes.Comparison])
    def get(self, request: Request, token: str, query: PageQuery) -> Response:
        dataset = self.open_share(token).dataset
        rows = dataset.comparisons.select_related("dataset").prefetch_related("projects")
        page = rows.order_by("-created_at", "-pk")[query.window]
        return Response(comparisons_shown(dataset.workspace, list(page)))


class SharedFeedback(SharedView):
    """GET /public/{token}/datasets/feedback: feedback on the shared experiments."""

    @endpoint(query=shapes.SharedFeedbackQuery, answer=list[FeedbackShape])
    def get(
        self, request: Request, token: str, query: shapes.SharedFeedbackQuery
    ) -> HttpResponseBase:
        share = self.open_share(token)
        dataset = share.dataset
        rows = readable(dataset.workspace).filter(project__reference_dataset_id=dataset.uuid)
        if query.run:
            rows = rows.filter(run_id__in=query.run)
        if query.session:
            rows = rows.filter(project__uuid__in=query.session)
        if query.key:
            rows = rows.filter(key__in=query.key)
        return listed(rows, query.window, lambda feedback: shown_publicly(feedback, share.token))


class SharedSessionsBulk(SharedView):
    """GET /public/datasets/sessions-bulk: the experiments of the datasets of `share_tokens`.

    Unknown tokens are skipped.
    """

    @endpoint(query=shapes.SharedSessionsQuery, answer=list[Session])
    def get(self, request: Request, query: shapes.SharedSessionsQuery) -> Response:
        shares = DatasetShare.objects.filter(token__in=query.share_tokens, shows_experiments=True)
        sessions: list[dict[str, Any]] = []
        for share in shares.select_related("dataset__workspace").order_by("pk"):
            projects = ProjectQuery(reference_datasets=[share.dataset.uuid])
            window = slice(0, MAX_EXPERIMENTS)
            sessions += listed_out(share.dataset.workspace, projects, window)
        return Response(sessions)


class PrebuiltSchema(APIView):
    """GET /public/schemas/v1/message.json, tooldef.json: what a dataset's schema may refer to."""

    authentication_classes = ()
    permission_classes = ()
    is_public = True

    @endpoint(answer=Object)
    def get(self, request: Request, name: str) -> Response:
        return Response({"$id": request.build_absolute_uri(request.path), **schemas.PREBUILT[name]})
