"""The demo: a support bot's fortnight, its users' feedback and two reviewers' work.

Sends through the wire and calls the verbs that pages call. Must not touch what is not `is_demo`.
"""
