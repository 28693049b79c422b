"""Remove a project together with its feedback."""

from __future__ import annotations

from django.db import connection, transaction

from observatory.runs import catalogue
from observatory.runs.models import Project


@transaction.atomic
def remove_project(project: Project) -> int:
    """Delete the project with its runs, their files, shares and feedback; return how many runs.

    Feedback that came before its run names no project yet, so it is found by the run's id.
    """
    if not catalogue.lock(project):
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM feedback_feedback WHERE project_id = %(project)s"
            " OR (workspace_id = %(workspace)s AND run_id IN ("
            "SELECT id FROM runs_run WHERE project_id = %(project)s))",
            {"project": project.pk, "workspace": project.workspace_id},
        )
    return catalogue.remove(project)
