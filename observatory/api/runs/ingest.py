"""POST /runs, PATCH /runs/{id}, POST /runs/batch, POST /runs/multipart: runs come in.

Everything is stored before the 202; no broker is asked. What is wrong with one item costs that
item only: it is in the quarantine, and the answer names it. What is wrong with the envelope is
4xx and nothing is stored. These are plain Django views: REST framework's own reading and
dispatch cost more than the whole parsing of a batch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import DataError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from msgspec import Raw
from rest_framework.exceptions import ParseError

from observatory import exact
from observatory.api.feedback.schemas import FeedbackCreate
from observatory.api.kit import bodies, body
from observatory.api.kit.base import BareWorkspaceView
from observatory.api.kit.endpoint import Binary, endpoint
from observatory.api.kit.errors import TooLarge, Unprocessable
from observatory.api.kit.multipart import Part, mime_type
from observatory.api.runs import multipart
from observatory.api.runs import schemas as shapes
from observatory.api.runs.multipart import Batch, Reject
from observatory.exact import dumps
from observatory.feedback import record
from observatory.feedback.judgement import FeedbackInput
from observatory.runs import attachments, documents, ingest
from observatory.runs.attachments import Saved
from observatory.runs.documents import SUSPECT, BadItem
from observatory.runs.ingest import Mode, Stored
from observatory.runs.ops import Kind, RunOp, canonical_uuid, parse_op

logger = logging.getLogger(__name__)
MAX_FEEDBACK_BYTES = 4 << 20
_FILE_PIECE = 1 << 20


class _Lists(msgspec.Struct):
    post: list[Raw] | None = None
    patch: list[Raw] | None = None


_lists = msgspec.json.Decoder(_Lists)


class IngestView(BareWorkspaceView):
    """Reads a body into a Batch (`read_batch`), stores it, answers 202."""

    def read_batch(self, content: body.Content, **names: str) -> Batch:
        raise NotImplementedError

    def save_files(self, batch: Batch, content: body.Content) -> Iterator[Saved]:
        """Yield the files of `batch`, each once it is in the storage."""
        for one in batch.attachments:
            pieces, kind = _pieces(content, one.part), mime_type(content, one.part)
            yield attachments.save(one.run_id, one.name, kind, pieces)
            body.forget(content)

    def store_runs(self, batch: Batch, mode: Mode) -> Stored:
        """Store the runs of `batch`, in the caller's transaction."""
        return ingest.store(
            self.workspace, batch.ops, now=timezone.now(), mode=mode, asking=record.ANY_WAITS
        )

    def take(self, request: HttpRequest, **names: str) -> list[Reject]:
        """Store what `request` carries, in one transaction; return what was set aside."""
        with body.received(request) as content, attachments.kept_on_success() as saved:
            batch = self.read_batch(content, **names)
            saved.extend(self.save_files(batch, content))
            rejected = ingest.transact(lambda mode: self._store(batch, saved, mode))
        if rejected:
            logger.warning("Set %d items of workspace %s aside", len(rejected), self.workspace.pk)
        return rejected

    def receive(self, request: HttpRequest, **names: str) -> HttpResponse:
        """Store what `request` carries, and say what was set aside."""
        rejected = self.take(request, **names)
        answer: dict[str, Any] = {"message": "Runs batch ingested"}
        if rejected:
            answer["rejected"] = [
                {"kind": r.kind, "id": r.item_id, "code": r.code, "reason": r.reason}
                for r in rejected
            ]
        return HttpResponse(dumps(answer), status=202, content_type="application/json")

    def _store(self, batch: Batch, saved: list[Saved], mode: Mode) -> list[Reject]:
        stored = self.store_runs(batch, mode)
        rejected = list(batch.rejected)  # whole only now that the ops have been read
        attachments.record(self.workspace, saved)
        if batch.feedback:
            rejected += self._store_feedback(batch, mode)
        if stored.run_ids and stored.answer:
            record.attach(self.workspace, stored.run_ids)
        for one in rejected:
            ingest.quarantine(self.workspace, one.kind, one.item_id, one.code, one.reason, one.raw)
        return rejected + [Reject("run", **rejection) for rejection in stored.rejected]

    def _store_feedback(self, batch: Batch, mode: Mode) -> list[Reject]:
        """Store the feedback parts; return those that cannot be."""
        rejected: list[Reject] = []
        inputs: list[FeedbackInput] = []
        sent: dict[int, tuple[str, bytes]] = {}
        for feedback_id, raw in batch.feedback:
            try:
                inputs.append(_feedback(feedback_id, raw))
                sent[id(inputs[-1])] = (feedback_id, raw)
            except BadItem as bad:
                rejected.append(Reject("feedback", feedback_id, bad.code, bad.reason, raw))
        groups = [[one] for one in inputs] if mode is Mode.ONE_BY_ONE else [inputs]
        for group in groups:
            try:
                with transaction.atomic():
                    recorded = record.record_many(
                        self.workspace, group, now=timezone.now(), api_key=self.caller.key
                    )
            except DataError as error:
                if mode is not Mode.ONE_BY_ONE:
                    raise
                feedback_id, raw = sent[id(group[0])]
                rejected.append(Reject("feedback", feedback_id, "refused", str(error), raw))
                continue
            for one, refusal in recorded.refused:
                feedback_id, raw = sent[id(one)]
                rejected.append(Reject("feedback", feedback_id, "invalid", str(refusal), raw))
        return rejected


def _pieces(content: body.Content, part: Part) -> Iterator[bytes]:
    for start in range(part.start, part.end, _FILE_PIECE):
        yield content[start : min(start + _FILE_PIECE, part.end)]


def _feedback(feedback_id: str, raw: bytes) -> FeedbackInput:
    """Return one feedback part. Raises BadItem."""
    if len(raw) > MAX_FEEDBACK_BYTES:
        raise BadItem("too_large", f"Feedback may have {MAX_FEEDBACK_BYTES} bytes")
    clean, _ = documents.sanitize(raw)
    documents.check(clean)
    members = exact.loads(clean)
    uuid = canonical_uuid(feedback_id)
    if isinstance(members, dict):
        if members.get("id") not in (None, str(uuid), feedback_id):
            raise BadItem("id_mismatch", "The id in the part is not the id in its name")
        members["id"] = str(uuid)
    try:
        return bodies.read(FeedbackCreate, members).to_input()
    except Unprocessable as error:
        raise BadItem("invalid", str(error.detail)) from None


def _taken(batch: Batch, kind: Kind, raw: bytes, run_id: UUID | None = None) -> list[RunOp]:
    """Return the one JSON run object `raw` as an op; none if it was set aside in `batch`."""
    try:
        return [parse_op(kind, raw, run_id=run_id, suspicion=SUSPECT)]
    except BadItem as bad:
        batch.rejected.append(Reject("run", str(run_id or _id_in(raw)), bad.code, bad.reason, raw))
        return []


def _id_in(raw: bytes) -> str:
    """Return the id in an invalid run object, as text, to find it in the quarantine."""
    try:
        return documents.members(raw).get("id", b"")[:80].decode(errors="replace").strip('"')
    except BadItem:
        return ""


class RunsMultipart(IngestView):
    """POST /runs/multipart, as the background threads of both SDKs send it."""

    @endpoint(body=Binary, takes="multipart/form-data", answer=shapes.Taken, status=202)
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.receive(request, content_type=request.headers.get("content-type", ""))

    def read_batch(self, content: body.Content, **names: str) -> Batch:
        return multipart.parse(content, names["content_type"])


class RunsBatch(IngestView):
    """POST /runs/batch `{"post": [...], "patch": [...]}`, without multipart."""

    @endpoint(body=shapes.RunsCreate, answer=shapes.Taken, status=202)
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.receive(request)

    def read_batch(self, content: body.Content, **names: str) -> Batch:
        lists = _read_lists(content)
        n_runs = sum(map(len, lists.values()))
        if n_runs > 5_000:
            raise TooLarge("A batch may have 5000 runs")
        batch = Batch()
        ops: list[RunOp] = []
        for raw in lists.get("post", ()):
            ops += _taken(batch, "create", raw)
        for raw in lists.get("patch", ()):
            ops += _taken(batch, "patch", raw)
        batch.ops = ops
        body.forget(content)
        return batch


def _read_lists(content: body.Content) -> dict[str, list[bytes]]:
    """Return the members of `post` and `patch`; one that is not JSON does not cost the others."""
    try:
        lists = _lists.decode(content)
    except msgspec.ValidationError as error:
        raise ParseError(f"Must be an object with the lists post and patch: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return documents.lists_of(bytes(content[:]))
        except BadItem as bad:
            raise ParseError(f"The body is not JSON: {bad.reason}") from None
    return {
        "post": [bytes(raw) for raw in lists.post or ()],
        "patch": [bytes(raw) for raw in lists.patch or ()],
    }


RUN_TYPES: Final = frozenset({"tool", "chain", "llm", "retriever", "embedding", "prompt", "parser"})


class OneRunView(IngestView):
    """Takes one run: what cannot be kept is an error, for no SDK looks at `rejected`."""

    run_id: UUID

    def receive(self, request: HttpRequest, **names: str) -> HttpResponse:
        """Store the run that `request` carries and answer with its id, or raise 422."""
        rejected = self.take(request, **names)
        if rejected:
            raise Unprocessable(rejected[0].reason, rejected[0].code)
        answer = {"message": "Run ingested", "id": self.run_id}
        return HttpResponse(dumps(answer), status=202, content_type="application/json")

    def read_one(self, kind: Kind, content: body.Content, run_id: UUID | None) -> Batch:
        """Return the one run of a body. Raises ParseError when it is no JSON object."""
        raw = content[:]
        body.forget(content)
        if not raw.strip().startswith(b"{"):
            raise ParseError("The body must be a JSON object: a run")
        batch = Batch()
        batch.ops = _taken(batch, kind, raw, run_id)
        for one in batch.rejected:
            if one.code in {"invalid_json", "invalid_utf8"}:
                raise ParseError(f"The body is not JSON: {one.reason}")
        for op in batch.ops:
            self.run_id = op.id
            if kind == "create" and op.run_type is not None and op.run_type not in RUN_TYPES:
                known = ", ".join(sorted(RUN_TYPES))
                raise Unprocessable(f"run_type: {op.run_type[:80]!r} is none of {known}")
        return batch


class Runs(OneRunView):
    """POST /runs, as Client.create_run sends one run when batching is off."""

    @endpoint(body=shapes.RunCreate, answer=shapes.TakenRun, status=202)
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.receive(request)

    def read_batch(self, content: body.Content, **names: str) -> Batch:
        return self.read_one("create", content, None)


class RunPatch(OneRunView):
    """PATCH /runs/{id}, as Client.update_run sends it when batching is off."""

    @endpoint(body=shapes.RunChange, answer=shapes.TakenRun, status=202)
    def patch(self, request: HttpRequest, run_id: str) -> HttpResponse:
        return self.receive(request, run_id=run_id)

    def read_batch(self, content: body.Content, **names: str) -> Batch:
        try:
            return self.read_one("patch", content, canonical_uuid(names["run_id"]))
        except BadItem as bad:
            raise ParseError(bad.reason) from None
