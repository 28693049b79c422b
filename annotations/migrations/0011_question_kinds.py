from __future__ import annotations

from django.db import migrations, models

import annotations.question_kinds


class Migration(migrations.Migration):
    """The kinds of questions are listed by a function, so that a new one needs no migration."""

    dependencies = [("annotations", "0010_claim_from_files")]

    operations = [
        migrations.AlterField(
            model_name="rubricitem",
            name="kind",
            field=models.CharField(
                choices=annotations.question_kinds.choices, default="categorical", max_length=12
            ),
        ),
    ]
