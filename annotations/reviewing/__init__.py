"""What a reviewer does: reserve an item, draft, submit, skip, take back.

Stands on `queues`. Must not import agreement or routing, nor decide which runs enter a queue.
"""
