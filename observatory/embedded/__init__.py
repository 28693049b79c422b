"""What `observatory up` starts itself: PostgreSQL, a broker of files, child processes.

Knows no table. With DATABASE_URL and CELERY_BROKER_URL, neither database nor broker is used.
"""
