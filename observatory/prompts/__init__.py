"""What models were asked: prompts, their commits, tags and likes.

Stands beside `runs`. Must not import it, nor run a prompt.
"""
