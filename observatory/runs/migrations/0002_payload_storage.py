"""Where the documents of a run are kept: see docs/adr/0002-storage-of-payloads.md."""

from django.db import migrations

DOCUMENTS = ("inputs", "outputs", "events", "serialized")
COMPRESSED = "".join(
    f" ALTER TABLE runs_run ALTER {name} SET COMPRESSION lz4;" for name in DOCUMENTS
)
UNCOMPRESSED = "".join(
    f" ALTER TABLE runs_run ALTER {name} SET STORAGE EXTERNAL;" for name in DOCUMENTS
)


class Migration(migrations.Migration):
    dependencies = [("runs", "0001_initial")]
    operations = [
        migrations.RunSQL(
            # A server built without lz4, like the embedded one, refuses the first.
            f"DO $$ BEGIN {COMPRESSED}"
            f" EXCEPTION WHEN feature_not_supported THEN {UNCOMPRESSED} END $$;"
            " ALTER TABLE runs_run SET (toast_tuple_target = 512)",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            # The outbox is written and emptied all day: dead entries must not pile up in it.
            "ALTER TABLE runs_change SET (autovacuum_vacuum_scale_factor = 0,"
            " autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_insert_threshold = -1)",
            migrations.RunSQL.noop,
        ),
    ]
