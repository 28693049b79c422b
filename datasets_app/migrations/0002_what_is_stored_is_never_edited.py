"""Versions cannot be changed, and of a revision only its end can be set, once."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION datasets_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a stored version of a dataset is never edited'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER dataset_version_is_immutable BEFORE UPDATE ON datasets_datasetversion
    FOR EACH ROW EXECUTE FUNCTION datasets_refuse_edit();
CREATE TRIGGER example_revision_is_immutable BEFORE UPDATE ON datasets_examplerevision
    FOR EACH ROW WHEN (
        OLD.valid_to IS NOT NULL OR NEW.valid_to IS NULL
        OR (NEW.id, NEW.example_id, NEW.dataset_id, NEW.valid_from, NEW.metadata, NEW.splits,
            NEW.inputs::text, NEW.outputs::text)
           IS DISTINCT FROM
           (OLD.id, OLD.example_id, OLD.dataset_id, OLD.valid_from, OLD.metadata, OLD.splits,
            OLD.inputs::text, OLD.outputs::text)
    ) EXECUTE FUNCTION datasets_refuse_edit();
"""
BACKWARD = """
DROP TRIGGER example_revision_is_immutable ON datasets_examplerevision;
DROP TRIGGER dataset_version_is_immutable ON datasets_datasetversion;
DROP FUNCTION datasets_refuse_edit();
"""


class Migration(migrations.Migration):
    dependencies = [("datasets", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
