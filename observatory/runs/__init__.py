"""Projects, runs and their files: ingestion, filters, search and statistics.

Must not import feedback, reviews or datasets, nor hold a foreign key to them: references upward are
plain ids.
"""
