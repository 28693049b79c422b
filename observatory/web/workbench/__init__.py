"""What the workbench draws: links, forms, questions, the subject of an item, the screen.

Reads what `annotations.reviewing.workbench` returned. Must not answer requests (web/review.py).
"""
