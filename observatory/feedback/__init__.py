"""What people and programs thought of runs: scores, scales, presigned tokens, trends.

Must not know queues or reviews: what reviewing hides, it is told through `SEALERS` and `sealed`.
"""
