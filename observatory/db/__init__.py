"""PostgreSQL features that the ORM lacks: prepared statements, model instances from plain rows.

Knows no table and no room: SQL that names a table belongs to the room that owns it.
"""
