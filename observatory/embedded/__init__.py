"""What `observatory up` starts itself: PostgreSQL, a broker of files, child processes.

Knows no table. Not used with DATABASE_URL and CELERY_BROKER_URL.
"""
