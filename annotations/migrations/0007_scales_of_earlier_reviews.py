from django.db import migrations

# The feedback of reviews did not keep the scale of its question. The rubric version that the
# review answered has it.
FILL = """
UPDATE feedback_feedback f SET scale = CASE e.item ->> 'kind'
    WHEN 'freeform' THEN '{"type": "freeform"}'::jsonb
    WHEN 'continuous' THEN jsonb_build_object('type', 'continuous', 'min', e.item -> 'minimum',
        'max', e.item -> 'maximum', 'categories', NULL, 'level', e.item -> 'level')
    ELSE jsonb_build_object('type', 'categorical', 'min', NULL, 'max', NULL,
        'level', e.item -> 'level', 'categories', CASE
            WHEN e.item ->> 'kind' = 'boolean' AND jsonb_array_length(e.item -> 'categories') <> 2
            THEN '[{"value": 0, "label": "No"}, {"value": 1, "label": "Yes"}]'::jsonb
            ELSE (SELECT jsonb_agg(jsonb_build_object(
                      'value', CASE WHEN e.item ->> 'kind' = 'boolean' THEN to_jsonb(c.place - 1)
                          ELSE coalesce(nullif(c.category -> 'value', 'null'),
                                        to_jsonb(c.place - 1)) END,
                      'label', c.category -> 'label') ORDER BY c.place)
                  FROM jsonb_array_elements(e.item -> 'categories')
                      WITH ORDINALITY c(category, place)) END)
    END
FROM annotations_annotationqueue q, annotations_rubricversion v, jsonb_array_elements(v.items) e(item)
WHERE f.id > %s AND f.id <= %s AND f.scale IS NULL AND f.user_id IS NOT NULL
    AND f.extra ->> 'review' IS NOT NULL AND q.workspace_id = f.workspace_id
    AND q.uuid::text = f.extra ->> 'queue' AND v.queue_id = q.id
    AND v.version::text = f.extra ->> 'rubric_version' AND e.item ->> 'feedback_key' = f.key
"""
BATCH = 20_000


def fill(apps, schema_editor):
    """Go through the feedback in batches of ids: may be stopped and started again."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM feedback_feedback")
        low, high = cursor.fetchone()
        for start in range(low - 1, high, BATCH):
            cursor.execute(FILL, [start, start + BATCH])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("annotations", "0006_name_questions_in_versions"),
        ("feedback", "0004_keep_the_scale"),
    ]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
