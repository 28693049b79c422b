from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # CREATE INDEX CONCURRENTLY cannot run in a transaction

    dependencies = [("annotations", "0007_scales_of_earlier_reviews")]

    operations = [
        AddIndexConcurrently(
            "deferral",
            models.Index(fields=["reviewer", "-created_at"], name="deferral_newest"),
        )
    ]
