from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "datasets_app"
    label = "datasets"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from annotations.routing.targets import DATASETS
        from datasets_app import receivers  # noqa: F401  # connects what it hears
        from datasets_app.rule_target import rule_datasets

        DATASETS.fill(rule_datasets)
