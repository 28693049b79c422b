"""Programs of other people's libraries, unmodified, against a live server: see __main__.py."""
