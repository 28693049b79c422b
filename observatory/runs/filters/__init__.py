"""The filter language of runs: one text for lists, rules and back-tests.

`grammar.parse` reads it, `compile.where` makes SQL of it, `explain.matches` evaluates it on one
run in Python and `explain.clauses` says why it held. docs/reference/filters.md is its manual.
"""
