from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F


class Migration(migrations.Migration):
    atomic = False  # CREATE INDEX CONCURRENTLY cannot run in a transaction

    dependencies = [("annotations", "0014_shadow_rules")]

    operations = [
        AddIndexConcurrently(
            "routingdecision",
            models.Index(F("rule"), F("decided_at").desc(), name="routing_decision_newest"),
        )
    ]
