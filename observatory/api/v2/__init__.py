"""The second version of the wire, as the SDKs' generated clients speak it, under /api/v2.

It answers from the verbs that version 1 calls, and must not hold another rule of its own.
"""
