"""Which experiments a request names, to fill a queue with."""

from __future__ import annotations

from typing import Any

from observatory.feedback import judgement
from observatory.feedback.judgement import InvalidFeedback
from observatory.runs.models import Project
from observatory.workspaces.models import Workspace

MAX_EXPERIMENTS = 20


def chosen(workspace: Workspace, raw: Any, *, is_pairwise: bool) -> list[Project]:
    """Return the experiments that `session_ids` names, in that order. Raises InvalidFeedback."""
    if not isinstance(raw, list) or len(raw) > MAX_EXPERIMENTS:
        most = f"must be an array of at most {MAX_EXPERIMENTS} ids"
        raise InvalidFeedback("session_ids", most)
    ids = [
        uuid
        for place, one in enumerate(raw)
        if (uuid := judgement.parse_uuid(f"session_ids.{place}", one)) is not None
    ]
    found = {
        project.uuid: project
        for project in Project.objects.filter(
            workspace=workspace, uuid__in=ids, reference_dataset_id__isnull=False
        )
    }
    for place, uuid in enumerate(ids):
        if uuid not in found:
            raise InvalidFeedback(f"session_ids.{place}", "names no experiment on a dataset")
    projects = [found[uuid] for uuid in dict.fromkeys(ids)]
    if is_pairwise and len(projects) < 2:
        raise InvalidFeedback("session_ids", "a pairwise queue needs two experiments or more")
    if is_pairwise and len({project.reference_dataset_id for project in projects}) > 1:
        raise InvalidFeedback("session_ids", "must be experiments on one dataset")
    return projects
