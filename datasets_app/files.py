"""Files of examples: kept once, named by revisions, opened by a signed URL.

The URL ends with the access that it was made for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

from django.core import signing
from django.core.files.base import File
from django.core.files.storage import storages
from django.db import transaction

from datasets_app.models import Example, ExampleFile, ExampleRevision
from observatory.runs import attachments
from observatory.runs.attachments import STORAGE, URL_LIFETIME, Saved
from observatory.runs.grants import Grant
from observatory.runs.models import Attachment

SALT: Final = "datasets_app.files"
CHUNK: Final = 1 << 20


@dataclass
class Arrivals:
    """The files that came with one write, and those that its examples held before it."""

    held: Mapping[str, ExampleFile] = field(default_factory=dict)
    fresh: list[tuple[UUID, str, Saved]] = field(default_factory=list)
    surplus: list[str] = field(default_factory=list)

    @classmethod
    def over(cls, revisions: Iterable[ExampleRevision]) -> Arrivals:
        """Return no arrivals yet, over what these revisions hold; a query only if they do."""
        uuids = [uuid for revision in revisions for uuid in revision.files.values()]
        files = ExampleFile.objects.filter(uuid__in=uuids) if uuids else []
        return cls(held={str(file.uuid): file for file in files})

    def named(
        self, example: UUID, arrived: Mapping[str, Saved], before: Mapping[str, str]
    ) -> dict[str, str]:
        """Return name -> uuid of what arrived. The same bytes under a name stay the same file."""
        names = {}
        for name, part in arrived.items():
            old = self.held.get(before.get(name, ""))
            same = old is not None and (bytes(old.sha256), old.mime_type) == (
                part.sha256,
                part.mime_type,
            )
            names[name] = before[name] if same else str(uuid4())
            if same:
                self.surplus.append(part.path)
            else:
                self.fresh.append((example, names[name], part))
        return names

    def write(self, examples: Mapping[UUID, Example]) -> None:
        """Write the rows of the new files; what was held already is removed after commit."""
        ExampleFile.objects.bulk_create(
            [
                ExampleFile(
                    example=examples[example],
                    uuid=UUID(uuid),
                    mime_type=file.mime_type,
                    size=file.size,
                    sha256=file.sha256,
                    path=file.path,
                )
                for example, uuid, file in self.fresh
            ]
        )
        remove(self.surplus)


def copied(
    workspace_id: int, names_by_example: Mapping[UUID, tuple[UUID, Sequence[str] | None]]
) -> dict[UUID, dict[str, Saved]]:
    """Copy files of runs: `{example: (run, names)}` -> `{example: {name: file}}`; None: all names.

    A name that the run has not is left out, like a run that is not there.
    """
    runs = [run for run, _ in names_by_example.values()]
    if not runs:
        return {}
    there: dict[tuple[UUID, str], Attachment] = {
        (attachment.run_id, attachment.name): attachment
        for attachment in Attachment.objects.filter(workspace_id=workspace_id, run_id__in=runs)
    }
    held: dict[UUID, list[str]] = {run: [] for run in runs}
    for run, name in there:
        held[run].append(name)
    made: dict[UUID, dict[str, Saved]] = {}
    with attachments.kept_on_success() as saved:
        for example, (run, names) in names_by_example.items():
            for name in sorted(held[run]) if names is None else names:
                if (source := there.get((run, name))) is not None:
                    with attachments.content(source) as file:
                        attachment = attachments.save(
                            example, name, source.mime_type, file.chunks(CHUNK)
                        )
                    saved.append(attachment)
                    made.setdefault(example, {})[name] = attachment
    return made


def duplicated(
    revisions: Iterable[ExampleRevision], owner: Mapping[UUID, UUID], saved: list[Saved]
) -> dict[UUID, dict[str, Saved]]:
    """Copy the files of examples: `owner` maps each example's id to that of its copy.

    Returns `{copy: {name: file}}`; every file is put in `saved` too, for who must undo it.
    Raises FileNotFoundError.
    """
    pairs = [
        (owner[revision.example.uuid], name, uuid)
        for revision in revisions
        for name, uuid in revision.files.items()
    ]
    uuids = {uuid for _, _, uuid in pairs}
    there = {str(stored.uuid): stored for stored in ExampleFile.objects.filter(uuid__in=uuids)}
    made: dict[UUID, dict[str, Saved]] = {}
    for example, name, uuid in pairs:
        if (source := there.get(uuid)) is not None:
            with content(source) as file:
                stored = attachments.save(example, name, source.mime_type, file.chunks(CHUNK))
            saved.append(stored)
            made.setdefault(example, {})[name] = stored
    return made


def remove(paths: Iterable[str]) -> None:
    """Delete files of the storage once the transaction has committed."""
    listed = list(paths)

    def delete_files() -> None:
        for path in listed:
            storages[STORAGE].delete(path)

    if listed:
        transaction.on_commit(delete_files, robust=True)


def urls(
    revisions: Sequence[ExampleRevision], base_url: str, *, grant: Grant
) -> list[dict[str, Any]]:
    """Return `attachment_urls` of each revision: "attachment.<name>" -> URL and type. One query.

    The URLs open as long as `grant` does.
    """
    uuids = [uuid for revision in revisions for uuid in revision.files.values()]
    files_of_revisions = (
        {str(file.uuid): file for file in ExampleFile.objects.filter(uuid__in=uuids)}
        if uuids
        else {}
    )
    base = base_url.rstrip("/")
    return [
        {
            f"attachment.{name}": {
                "presigned_url": f"{base}/api/example-attachments/{sign(uuid, name, grant)}",
                "mime_type": files_of_revisions[uuid].mime_type,
            }
            for name, uuid in sorted(revision.files.items())
            if uuid in files_of_revisions
        }
        for revision in revisions
    ]


def sign(uuid: str, name: str, grant: Grant) -> str:
    """Return the token that opens a file, under `name`, for URL_LIFETIME and `grant`."""
    return signing.dumps([uuid, name, str(grant)], salt=SALT, compress=True)


def opened(token: str) -> tuple[ExampleFile, str] | None:
    """Return the file that `token` opens and its name.

    None when the token is forged or expired, the file is gone, or the access has ended.
    """
    try:
        uuid, name, grant = signing.loads(token, salt=SALT, max_age=URL_LIFETIME)
    except (signing.BadSignature, ValueError):
        return None
    file = ExampleFile.objects.filter(uuid=UUID(uuid)).select_related("example").first()
    if file is None or not Grant.parse(grant).is_open(file.example.workspace_id):
        return None
    return file, str(name)


def saved_copy(file: ExampleFile, name: str) -> Saved:
    """Copy a file in the storage, to be an example's under `name`. Raises FileNotFoundError."""
    with content(file) as opened_file:
        return attachments.save(uuid4(), name, file.mime_type, opened_file.chunks(CHUNK))


def content(file: ExampleFile) -> File[bytes]:
    """Open the file for reading. Raises FileNotFoundError."""
    return storages[STORAGE].open(file.path)
