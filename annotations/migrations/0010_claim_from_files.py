from django.db import migrations

from observatory.db import stored_functions


class Migration(migrations.Migration):
    dependencies = [("annotations", "0009_seal_blind_answers")]

    # `annotations_sit_down` (0003) stays: servers of the version before still call it.
    operations = [
        stored_functions.install("annotations", "open_session", "54c3f2f1a162"),
        stored_functions.install("annotations", "reserve_next", "5771d9c30c68"),
    ]
