"""Agreement between reviewers: coefficients, intervals, verdicts, reports per question.

Reads ratings through `queues.blindness` only. Must not write, nor import reviewing or routing.
"""
