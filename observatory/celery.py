"""The Celery application. Tasks are nudges: beat runs sweepers that find what a lost one missed."""

import os

from celery import Celery

from observatory.embedded import broker

broker.install()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "observatory.settings")

app = Celery("observatory")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
