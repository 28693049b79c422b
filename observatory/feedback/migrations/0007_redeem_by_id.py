"""Find a presigned token by its id. The index is built while tokens are written."""

from __future__ import annotations

import uuid

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("feedback", "0006_index_sealed_answers")]

    operations = [
        AddIndexConcurrently(
            "presignedtoken", models.Index(fields=["uuid"], name="presigned_token_by_its_id")
        ),
        migrations.AlterField(
            "presignedtoken",
            "feedback_uuid",
            models.UUIDField(default=uuid.uuid4, help_text="The id of the first feedback"),
        ),
    ]
