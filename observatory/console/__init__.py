"""Commands that need several rooms: `up`, `demo`, `bench`, `workspace`.

A face: it owns no table. Must not be imported by other rooms; commands of one room live in it.
"""
