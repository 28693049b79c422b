"""The demo: a support bot's fortnight, its users' feedback and two reviewers' work."""
