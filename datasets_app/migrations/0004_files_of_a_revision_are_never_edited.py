"""The files that a revision names are as fixed as its documents."""

from django.db import migrations

TRIGGER = """
DROP TRIGGER example_revision_is_immutable ON datasets_examplerevision;
CREATE TRIGGER example_revision_is_immutable BEFORE UPDATE ON datasets_examplerevision
    FOR EACH ROW WHEN (
        OLD.valid_to IS NOT NULL OR NEW.valid_to IS NULL
        OR (NEW.id, NEW.example_id, NEW.dataset_id, NEW.valid_from, NEW.metadata, NEW.splits,
            {new}NEW.inputs::text, NEW.outputs::text)
           IS DISTINCT FROM
           (OLD.id, OLD.example_id, OLD.dataset_id, OLD.valid_from, OLD.metadata, OLD.splits,
            {old}OLD.inputs::text, OLD.outputs::text)
    ) EXECUTE FUNCTION datasets_refuse_edit();
"""
FORWARD = TRIGGER.format(new="NEW.files, ", old="OLD.files, ")
BACKWARD = TRIGGER.format(new="", old="")


class Migration(migrations.Migration):
    dependencies = [("datasets", "0003_experiments_shares_and_files")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
