from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

from observatory.db import stored_functions


class Migration(migrations.Migration):
    dependencies = [
        ("annotations", "0011_question_kinds"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="GoldAnswer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.PositiveIntegerField()),
                (
                    "answers",
                    models.JSONField(
                        help_text="{feedback key: {score, value}}, as a review has them"
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(db_default=Now())),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="gold_answers",
                        to="annotations.queueitem",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="goldanswer",
            constraint=models.UniqueConstraint(
                fields=("item", "version"), name="gold_version_once_per_item"
            ),
        ),
        migrations.AddField(
            model_name="annotationqueue",
            name="gold_rate",
            field=models.FloatField(
                db_default=0.05,
                default=0.05,
                help_text="Share of a reviewer's items that are gold items, 0 to 1; 0: none",
            ),
        ),
        migrations.AddConstraint(
            model_name="annotationqueue",
            constraint=models.CheckConstraint(
                condition=Q(gold_rate__gte=0, gold_rate__lte=1), name="queue_gold_rate_is_a_share"
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="is_gold",
            field=models.BooleanField(
                db_default=False, default=False, help_text="Of a gold item, so it is never counted"
            ),
        ),
        migrations.AlterField(
            model_name="queueitem",
            name="state",
            field=models.CharField(
                choices=[
                    ("open", "Open"),
                    ("completed", "Completed"),
                    ("removed", "Removed"),
                    ("gold", "Gold"),
                ],
                db_default="open",
                max_length=9,
            ),
        ),
        stored_functions.install("annotations", "reserve_next", "46d7d799c718"),
    ]
