"""The demo: two weeks of a support bot, its users' feedback and two reviewers' work.

Sends over the wire and calls the verbs that pages call. Must only touch rows with `is_demo`.
"""
