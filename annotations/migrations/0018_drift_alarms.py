from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotations", "0017_index_cant_judge"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="annotationqueue",
            name="drift_checked_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.CreateModel(
            name="DriftAlarm",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("agreement", "Agreement"),
                            ("label_mix", "Label Mix"),
                            ("pace", "Pace"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "week",
                    models.DateField(help_text="The Monday of the week in which it was raised"),
                ),
                ("p_value", models.FloatField()),
                ("before", models.FloatField(null=True)),
                ("after", models.FloatField(null=True)),
                ("n_before", models.PositiveIntegerField()),
                ("n_after", models.PositiveIntegerField()),
                ("raised_at", models.DateTimeField()),
                ("noted_at", models.DateTimeField(null=True)),
                (
                    "noted_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "queue",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drift_alarms",
                        to="annotations.annotationqueue",
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rubric_item",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="annotations.rubricitem",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("queue", "week", "reviewer", "rubric_item", "kind"),
                        name="drift_alarm_once_a_week",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
    ]
