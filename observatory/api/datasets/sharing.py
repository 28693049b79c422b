"""/datasets/{id}/share, and what a share token opens without a key."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from datasets_app import catalogue, schemas, selection, sharing
from datasets_app.models import DatasetShare
from datasets_app.selection import Selection
from observatory.api.datasets import schemas as shapes
from observatory.api.datasets.datasets import dataset_or_404, instant_or_404, shown
from observatory.api.datasets.examples import revisions_of
from observatory.api.datasets.examples import shown as example_shown
from observatory.api.datasets.experiments import comparisons_shown
from observatory.api.feedback.feedback import listed, readable, shown_publicly
from observatory.api.feedback.schemas import Feedback as FeedbackShape
from observatory.api.kit import parameters, streamed
from observatory.api.kit.base import ListedView, WorkspaceView, uuid_or_404
from observatory.api.kit.endpoint import endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.types import Message, Object, PageQuery
from observatory.api.projects.schemas import Session
from observatory.api.projects.sessions import listed_out
from observatory.runs.catalogue import ProjectQuery

MAX_TOKENS = 20
MAX_TOLD = 100  # experiments of one dataset


def _share_shown(share: DatasetShare) -> dict[str, Any]:
    return {"dataset_id": share.dataset.uuid, "share_token": share.token}


class DatasetSharing(WorkspaceView):
    """PUT (share_dataset), GET (read_dataset_shared_schema) and DELETE /datasets/{id}/share."""

    @endpoint(answer=shapes.Share)
    def get(self, request: Request, dataset_id: str) -> Response:
        found = DatasetShare.objects.filter(dataset=dataset_or_404(self, dataset_id)).first()
        if found is None:
            raise NotFound("Dataset is not shared")
        return Response(_share_shown(found))

    @endpoint(query=shapes.ShareQuery, answer=shapes.Share)
    def put(self, request: Request, dataset_id: str) -> Response:
        dataset = dataset_or_404(self, dataset_id)
        shows = parameters.flag(request, "share_projects") is not False
        return Response(_share_shown(sharing.share(dataset, shows_experiments=shows)))

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
        found = sharing.shared(uuid_or_404(token))
        if found is None:
            raise NotFound("Nothing is shared under this token")
        return found

    def open_share(self, token: str) -> DatasetShare:
        """Return the share if it shows experiments too; otherwise 404, like none."""
        found = self.share(token)
        if not found.shows_experiments:
            raise NotFound("Nothing is shared under this token")
        return found


class SharedDataset(SharedView):
    """GET /public/{token}/datasets (read_shared_dataset)."""

    @endpoint(answer=shapes.Dataset)
    def get(self, request: Request, token: str) -> Response:
        share = self.share(token)
        found = catalogue.of_workspace(share.dataset.workspace).select_related("workspace")
        return Response(shown(found.get(pk=share.dataset.pk)))


def _asked(share: DatasetShare, request: Request) -> Selection:
    return Selection(
        dataset=share.dataset,
        as_of=instant_or_404(share.dataset, parameters.one(request, "as_of")),
        ids=parameters.uuids(request, "id"),
        splits=parameters.listed(request, "splits"),
        metadata=parameters.document(request, "metadata"),
        texts=parameters.listed(request, "full_text_contains"),
    )


class SharedExamples(SharedView):
    """GET /public/{token}/examples (list_shared_examples)."""

    @endpoint(query=shapes.SharedExampleQuery, answer=list[shapes.Example])
    def get(self, request: Request, token: str) -> HttpResponseBase:
        share = self.share(token)
        found = selection.revisions(share.dataset.workspace, _asked(share, request))
        pages = revisions_of(found, parameters.window(request))
        rows = (example_shown(revision) for page in pages for revision in page)
        return streamed.answer(streamed.array(rows))


class SharedExampleCount(SharedView):
    """GET /public/{token}/examples/count."""

    @endpoint(query=shapes.SharedExampleQuery, answer=int)
    def get(self, request: Request, token: str) -> Response:
        share = self.share(token)
        found = selection.revisions(share.dataset.workspace, _asked(share, request))
        return Response(found.order_by().count())


class SharedSessions(SharedView):
    """GET /public/{token}/datasets/sessions (list_shared_projects): the dataset's experiments."""

    @endpoint(query=shapes.SharedSessionQuery, answer=list[Session])
    def get(self, request: Request, token: str) -> Response:
        dataset = self.open_share(token).dataset
        asked = ProjectQuery(
            uuids=parameters.uuids(request, "id") or None,
            name=parameters.one(request, "name"),
            name_contains=parameters.one(request, "name_contains"),
            reference_datasets=[dataset.uuid],
        )
        return Response(listed_out(dataset.workspace, asked, parameters.window(request)))


class SharedComparisons(SharedView):
    """GET /public/{token}/datasets/comparative."""

    @endpoint(query=PageQuery, answer=list[shapes.Comparison])
    def get(self, request: Request, token: str) -> Response:
        dataset = self.open_share(token).dataset
        found = dataset.comparisons.select_related("dataset").prefetch_related("projects")
        page = found.order_by("-created_at", "-pk")[parameters.window(request)]
        return Response(comparisons_shown(dataset.workspace, list(page)))


class SharedFeedback(SharedView):
    """GET /public/{token}/datasets/feedback: what the shared experiments were judged."""

    @endpoint(query=shapes.SharedFeedbackQuery, answer=list[FeedbackShape])
    def get(self, request: Request, token: str) -> HttpResponseBase:
        share = self.open_share(token)
        dataset = share.dataset
        found = readable(dataset.workspace).filter(project__reference_dataset_id=dataset.uuid)
        for name, field in (("run", "run_id"), ("session", "project__uuid")):
            if ids := parameters.uuids(request, name):
                found = found.filter(**{f"{field}__in": ids})
        if keys := parameters.listed(request, "key"):
            found = found.filter(key__in=keys)
        return listed(found, request, lambda one: shown_publicly(one, share.token))


class SharedSessionsBulk(SharedView):
    """GET /public/datasets/sessions-bulk: the experiments of every dataset of `share_tokens`.

    A token that opens nothing adds nothing.
    """

    @endpoint(query=shapes.SharedSessionsQuery, answer=list[Session])
    def get(self, request: Request) -> Response:
        tokens = parameters.uuids(request, "share_tokens")
        if not 0 < len(tokens) <= MAX_TOKENS:
            raise Unprocessable(f"share_tokens: 1 to {MAX_TOKENS} tokens")
        shares = DatasetShare.objects.filter(token__in=tokens, shows_experiments=True)
        told: list[dict[str, Any]] = []
        for share in shares.select_related("dataset__workspace").order_by("pk"):
            asked = ProjectQuery(reference_datasets=[share.dataset.uuid])
            told += listed_out(share.dataset.workspace, asked, slice(0, MAX_TOLD))
        return Response(told)


class PrebuiltSchema(APIView):
    """GET /public/schemas/v1/message.json, tooldef.json: what a dataset's schema may refer to."""

    authentication_classes = ()
    permission_classes = ()
    is_public = True

    @endpoint(answer=Object)
    def get(self, request: Request, name: str) -> Response:
        return Response({"$id": request.build_absolute_uri(request.path), **schemas.PREBUILT[name]})
