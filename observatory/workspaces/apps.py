from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class WorkspacesConfig(AppConfig):
    name = "observatory.workspaces"
    label = "workspaces"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        connection_created.connect(read_times_quickly, dispatch_uid="observatory.times")


def read_times_quickly(connection: Any, **_: Any) -> None:
    """Load times four times as fast as Django does, with the same result.

    A list of a hundred rows has four hundred times, a third of the time to read them.
    """
    from observatory.db.times import TimeLoader

    connection.connection.adapters.register_loader("timestamptz", TimeLoader)
