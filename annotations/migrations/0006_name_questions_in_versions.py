from django.db import migrations

# Versions named a question by its key alone, so a new key looked like another question.
NAME = """
UPDATE annotations_rubricversion v SET items = coalesce((
    SELECT jsonb_agg(
        CASE WHEN q.id IS NULL THEN e.item ELSE jsonb_build_object('id', q.id) || e.item END
        ORDER BY e.place)
    FROM jsonb_array_elements(v.items) WITH ORDINALITY e(item, place)
    LEFT JOIN annotations_rubricitem q
        ON q.queue_id = v.queue_id AND q.feedback_key = e.item ->> 'feedback_key'
), '[]')
"""


class Migration(migrations.Migration):
    dependencies = [("annotations", "0005_keep_questions_and_reviewers")]

    operations = [migrations.RunSQL(NAME, migrations.RunSQL.noop)]
