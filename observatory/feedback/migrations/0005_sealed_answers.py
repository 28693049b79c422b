"""Give feedback the review it belongs to, and say whether it may be read yet."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("feedback", "0004_keep_the_scale")]

    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="feedback",
            name="review_uuid",
            field=models.UUIDField(
                help_text="The review that wrote it, or took it for its answer", null=True
            ),
        ),
        migrations.AddField(
            model_name="feedback",
            name="is_sealed",
            field=models.BooleanField(
                db_default=False, help_text="Answers a blind item that others have yet to review"
            ),
        ),
    ]
