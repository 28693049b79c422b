"""Benchmarks: one module each, run by `observatory bench NAME`.

A benchmark is a module with a docstring, `add_arguments(parser)` and `run(options, out)`. It
measures both sides in one run on one machine: figures of two machines are not comparable.
"""
