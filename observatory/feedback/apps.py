from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    name = "observatory.feedback"
    label = "feedback"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from observatory.feedback.sealed import readable
        from observatory.runs import judgements

        counts = f"judged.comparative_experiment_id IS NULL AND {readable('judged')}"
        judgements.RELATION.fill(judgements.Relation("feedback_feedback", counts))
