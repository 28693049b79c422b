"""How runs become items: rules, sampling, decisions, and the runs' annotation status.

Builds on `queues`. Must not import reviewing or agreement, nor touch reviews and seats.
"""
