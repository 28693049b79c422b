"""Link feedback to the review that wrote it, and seal what blind reviewing still hides."""

from uuid import uuid5

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, migrations, models

BATCH = 500  # reviews a statement

_LINK = """
UPDATE feedback_feedback f SET review_uuid = w.review,
    is_sealed = q.is_blind AND i.state <> 'completed'
        AND (i.state = 'open' OR i.completed_at IS NULL)
FROM unnest(%s::uuid[], %s::uuid[]) w(feedback, review)
JOIN annotations_review v ON v.uuid = w.review
JOIN annotations_queueitem i ON i.id = v.item_id
JOIN annotations_annotationqueue q ON q.id = i.queue_id
WHERE f.workspace_id = v.workspace_id AND f.uuid = w.feedback AND f.user_id = v.reviewer_id
"""
# Answers that were sent with a reviewer's key before the item was set to completed.
_ADOPT = """
UPDATE feedback_feedback f SET review_uuid = v.uuid, is_sealed = true
FROM annotations_review v
JOIN annotations_queueitem i ON i.id = v.item_id
JOIN annotations_annotationqueue q ON q.id = i.queue_id
WHERE v.id = ANY(%s) AND q.is_blind AND i.state = 'open'
  AND f.workspace_id = v.workspace_id AND f.run_id IN (i.run_id, i.first_run_id, i.second_run_id)
  AND f.review_uuid IS NULL AND jsonb_exists(v.scores, f.key)
  AND f.source_type IN ('api', 'app') AND f.modified_at <= v.submitted_at
  AND f.api_key_id IN (SELECT k.id FROM workspaces_apikey k WHERE k.created_by_id = v.reviewer_id)
"""


def link(apps, schema_editor):
    """Set `review_uuid` of the ids that a review's feedback has; a client's `extra` says nothing.

    A batch is a transaction of its own, and linking twice equals linking once.
    """
    Review = apps.get_model("annotations", "Review")
    last = 0
    while True:
        reviews = list(
            Review.objects.filter(pk__gt=last, retracted_at=None)
            .order_by("pk")
            .values_list("pk", "uuid", "scores")[:BATCH]
        )
        if not reviews:
            return
        feedback, owners = [], []
        for _, uuid, scores in reviews:
            for key in [*scores, "note", "correction"]:
                feedback += [uuid5(uuid, key), uuid5(uuid, f"{key}/second")]
                owners += [uuid, uuid]
        with connection.cursor() as cursor:
            cursor.execute(_LINK, [feedback, owners])
            cursor.execute(_ADOPT, [[pk for pk, _, _ in reviews]])
        last = reviews[-1][0]


class Migration(migrations.Migration):
    atomic = False  # CREATE INDEX CONCURRENTLY cannot run in a transaction
    dependencies = [
        ("annotations", "0008_newest_deferrals"),
        ("feedback", "0006_index_sealed_answers"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="queueitem",
            index=models.Index(
                condition=models.Q(("thread_id", None), _negated=True),
                fields=["workspace", "thread_id"],
                name="queue_item_of_thread",
            ),
        ),
        migrations.RunPython(link, migrations.RunPython.noop),
    ]
