from django.apps import AppConfig


class FeedbackConfig(AppConfig):
    name = "observatory.feedback"
    label = "feedback"
    default_auto_field = "django.db.models.BigAutoField"
