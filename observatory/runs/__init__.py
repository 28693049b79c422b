"""What happened: projects, runs, files; storing, filtering, searching and counting them.

Must not know feedback, reviews or datasets, nor hold a foreign key to any of them: ids upward are
plain values.
"""
