"""The column stays as it is: only its name in Python changes, as reads go through durations.py."""

from __future__ import annotations

import django.db.models as models
from django.db import migrations
from django.db.models.expressions import RawSQL


class Migration(migrations.Migration):
    dependencies = [("runs", "0006_thread_share")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField("run", "latency_s"),
                migrations.AddField(
                    "run",
                    "elapsed_s",
                    models.GeneratedField(
                        db_column="latency_s",
                        db_persist=True,
                        expression=RawSQL(
                            "extract(epoch from (end_time - start_time))::double precision", []
                        ),
                        output_field=models.FloatField(),
                        help_text=(
                            "Below zero where the sender's clocks disagree: see durations.py"
                        ),
                    ),
                ),
            ]
        )
    ]
