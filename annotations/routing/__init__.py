"""How runs become items: rules, sampling, decisions, and the status runs get back.

Stands on `queues`. Must not import reviewing or agreement, nor touch reviews and seats.
"""
