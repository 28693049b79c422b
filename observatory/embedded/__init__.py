"""What `observatory up` brings along: PostgreSQL, a broker of files, children that die with it.

Knows no table. With DATABASE_URL and CELERY_BROKER_URL, neither database nor broker is used.
"""
