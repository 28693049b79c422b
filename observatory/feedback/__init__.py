"""Feedback on runs by people and programs: scores, scales, presigned tokens, trends.

Must not know queues or reviews: what reviewing hides, they register through `SEALERS` and `sealed`.
"""
