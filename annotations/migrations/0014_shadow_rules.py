import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotations", "0013_reviews_of_gold"),
        ("runs", "0007_latency_is_never_negative"),
        ("workspaces", "0003_browser_session"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Backfill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("stopped", "stopped at the time limit"),
                            ("canceled", "Canceled"),
                            ("failed", "Failed"),
                        ],
                        db_default="waiting",
                        max_length=8,
                    ),
                ),
                ("started_from", models.DateTimeField(help_text="Of runs that started from here")),
                ("started_before", models.DateTimeField()),
                (
                    "cursor",
                    models.JSONField(help_text="{day, project, start_time, run}", null=True),
                ),
                ("n_looked_at", models.PositiveBigIntegerField(db_default=0)),
                ("worked_s", models.FloatField(db_default=0.0)),
                ("error", models.TextField(blank=True)),
                (
                    "requested_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("finished_at", models.DateTimeField(null=True)),
                ("rule_version", models.PositiveIntegerField()),
                ("n_selected", models.PositiveBigIntegerField(db_default=0)),
                ("n_sent", models.PositiveBigIntegerField(db_default=0)),
            ],
        ),
        migrations.CreateModel(
            name="BackfillStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("newest", models.DateTimeField(help_text="Start of the newest run of the step")),
                ("oldest", models.DateTimeField()),
                ("n_looked_at", models.PositiveIntegerField()),
                ("n_selected", models.PositiveIntegerField()),
                ("n_sent", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="BackTest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("stopped", "stopped at the time limit"),
                            ("canceled", "Canceled"),
                            ("failed", "Failed"),
                        ],
                        db_default="waiting",
                        max_length=8,
                    ),
                ),
                ("started_from", models.DateTimeField(help_text="Of runs that started from here")),
                ("started_before", models.DateTimeField()),
                (
                    "cursor",
                    models.JSONField(help_text="{day, project, start_time, run}", null=True),
                ),
                ("n_looked_at", models.PositiveBigIntegerField(db_default=0)),
                ("worked_s", models.FloatField(db_default=0.0)),
                ("error", models.TextField(blank=True)),
                (
                    "requested_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "rule_uuid",
                    models.UUIDField(
                        db_index=True, help_text="Draws are made with it, saved or not"
                    ),
                ),
                ("definition", models.JSONField(help_text="As in RuleVersion")),
                ("result", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="RuleDay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("n_sent", models.PositiveIntegerField(db_default=0)),
                ("n_held_back", models.PositiveIntegerField(db_default=0)),
            ],
        ),
        migrations.CreateModel(
            name="RuleMatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule_version", models.PositiveIntegerField()),
                ("run_id", models.UUIDField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("shadow", "would have been sent"),
                            ("held_back", "held back by the daily limit"),
                            ("sent", "sent"),
                            ("refused", "refused by the target"),
                        ],
                        max_length=9,
                    ),
                ),
                ("draw", models.FloatField()),
                ("reason", models.TextField(blank=True, help_text="Why the target refused it")),
                (
                    "matched_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RuleSwitch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("on", "on"), ("shadow", "shadow"), ("off", "off")], max_length=6
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                (
                    "switched_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
        ),
        migrations.AddField(
            model_name="routingrule",
            name="daily_limit",
            field=models.PositiveIntegerField(
                blank=True, help_text="Runs it sends per day (UTC) at most; empty: all", null=True
            ),
        ),
        migrations.AddField(
            model_name="routingrule",
            name="dataset_uuid",
            field=models.UUIDField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="routingrule",
            name="feedback_key",
            field=models.CharField(blank=True, db_default="", editable=False, max_length=180),
        ),
        migrations.AddField(
            model_name="routingrule",
            name="feedback_score",
            field=models.FloatField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="routingrule",
            name="is_shadow",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Record what it would send, and send nothing",
            ),
        ),
        migrations.AddField(
            model_name="routingrule",
            name="tag",
            field=models.CharField(blank=True, db_default="", editable=False, max_length=200),
        ),
        migrations.AddField(
            model_name="routingrule",
            name="target",
            field=models.CharField(
                choices=[
                    ("queue", "add to a queue"),
                    ("dataset", "add to a dataset"),
                    ("tag", "set a tag"),
                    ("feedback", "give feedback"),
                ],
                db_default="queue",
                default="queue",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="routingrule",
            name="queue",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="rules",
                to="annotations.annotationqueue",
            ),
        ),
        migrations.AlterField(
            model_name="ruleversion",
            name="definition",
            field=models.JSONField(
                help_text="{name, filter, projects, sampling_rate, queue, priority}, and what else is set"
            ),
        ),
        migrations.AddConstraint(
            model_name="routingrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_enabled", False), ("is_shadow", False), _connector="OR"),
                name="rule_is_on_or_in_shadow",
            ),
        ),
        migrations.AddConstraint(
            model_name="routingrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("queue__isnull", False), ("target", "queue")),
                    models.Q(("dataset_uuid__isnull", False), ("target", "dataset")),
                    models.Q(("target", "tag"), models.Q(("tag", ""), _negated=True)),
                    models.Q(("target", "feedback"), models.Q(("feedback_key", ""), _negated=True)),
                    _connector="OR",
                ),
                name="rule_names_its_target",
            ),
        ),
        migrations.AddField(
            model_name="backfill",
            name="requested_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="backfill",
            name="rule",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="backfills",
                to="annotations.routingrule",
            ),
        ),
        migrations.AddField(
            model_name="backfillstep",
            name="backfill",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="log",
                to="annotations.backfill",
            ),
        ),
        migrations.AddField(
            model_name="backtest",
            name="requested_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="backtest",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="workspaces.workspace",
            ),
        ),
        migrations.AddField(
            model_name="ruleday",
            name="rule",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="days",
                to="annotations.routingrule",
            ),
        ),
        migrations.AddField(
            model_name="rulematch",
            name="rule",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="matches",
                to="annotations.routingrule",
            ),
        ),
        migrations.AddField(
            model_name="ruleswitch",
            name="rule",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="switches",
                to="annotations.routingrule",
            ),
        ),
        migrations.AddField(
            model_name="ruleswitch",
            name="switched_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="backfill",
            index=models.Index(
                condition=models.Q(("state__in", ("waiting", "running"))),
                fields=["id"],
                name="backfill_unfinished",
            ),
        ),
        migrations.AddIndex(
            model_name="backtest",
            index=models.Index(
                condition=models.Q(("state__in", ("waiting", "running"))),
                fields=["id"],
                name="back_test_unfinished",
            ),
        ),
        migrations.AddConstraint(
            model_name="ruleday",
            constraint=models.UniqueConstraint(fields=("rule", "day"), name="rule_day_once"),
        ),
        migrations.AddIndex(
            model_name="rulematch",
            index=models.Index(
                models.F("rule"),
                models.F("outcome"),
                models.OrderBy(models.F("matched_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="rule_match_newest",
            ),
        ),
        migrations.AddConstraint(
            model_name="rulematch",
            constraint=models.UniqueConstraint(
                fields=("rule", "run_id", "outcome"), name="rule_match_once_per_outcome"
            ),
        ),
    ]
