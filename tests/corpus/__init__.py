"""Recorded answers of every endpoint to right and wrong requests, and their replay.

    python -m tests.corpus            replay, record anew, and print what differs
    python -m tests.corpus --check    replay and print what differs; write nothing
    python -m tests.corpus --against COMMIT    the same, with what COMMIT has recorded

`requests/` holds what each operation takes: its fields, its query parameters and a right value of
each. They were read from OpenAPI once and are kept, so that a change of the OpenAPI document does
not change the requests; recording adds what is new. `answers/` holds status, headers and shape of
each answer, `texts/` the words of each refusal.
"""
