"""Observatory: review of LLM runs by people, in queues with rubrics.

Rooms own tables and verbs and know no HTTP; faces (`api`, `web`, `console`, each room's `admin.py`)
translate a protocol into verbs. See docs/adr/0001-rooms-and-faces.md.
"""

from observatory.celery import app as celery_app

__all__ = ["celery_app"]
__version__ = "0.1.0"
