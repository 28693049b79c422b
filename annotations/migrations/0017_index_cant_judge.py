from django.db import migrations


class Migration(migrations.Migration):
    atomic = False  # CREATE INDEX CONCURRENTLY cannot run in a transaction

    dependencies = [("annotations", "0016_gate_statistic")]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS review_cant_judge ON annotations_review "
            "(queue_id) WHERE scores @? '$.*.cant_judge'",
            "DROP INDEX CONCURRENTLY IF EXISTS review_cant_judge",
        )
    ]
