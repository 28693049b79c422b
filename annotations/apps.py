from django.apps import AppConfig


class AnnotationsConfig(AppConfig):
    name = "annotations"
    label = "annotations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from annotations.queues.blindness import seal
        from annotations.receivers import nudge
        from observatory.feedback.record import SEALERS
        from observatory.feedback.signals import feedback_recorded
        from observatory.runs.signals import runs_settled

        SEALERS.add(seal)
        runs_settled.connect(nudge, dispatch_uid="annotations.nudge.runs")
        feedback_recorded.connect(nudge, dispatch_uid="annotations.nudge.feedback")
