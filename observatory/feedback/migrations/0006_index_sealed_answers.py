from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # CREATE INDEX CONCURRENTLY cannot run in a transaction
    dependencies = [("feedback", "0005_sealed_answers")]

    operations = [
        AddIndexConcurrently(
            model_name="feedback",
            index=models.Index(
                condition=models.Q(("review_uuid", None), _negated=True),
                fields=["workspace", "review_uuid"],
                name="feedback_of_review",
            ),
        ),
        AddIndexConcurrently(
            model_name="feedback",
            index=models.Index(
                condition=models.Q(("is_sealed", True)),
                fields=["workspace", "run_id"],
                name="feedback_sealed",
            ),
        ),
        AddIndexConcurrently(
            model_name="feedback",
            index=models.Index(
                models.F("project"),
                models.F("key"),
                models.OrderBy(models.F("run_start_time"), descending=True),
                models.OrderBy(models.F("run_id"), descending=True),
                condition=models.Q(("comparative_experiment_id", None), ("is_sealed", False)),
                include=("score",),
                name="feedback_project_key_readable",
            ),
        ),
        RemoveIndexConcurrently(model_name="feedback", name="feedback_project_key_newest"),
    ]
