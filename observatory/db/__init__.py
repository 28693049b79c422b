"""Ways to talk to PostgreSQL that the ORM does not offer: prepared statements, rows as instances.

Knows no table and no room: whatever names one belongs to the room that owns it.
"""
