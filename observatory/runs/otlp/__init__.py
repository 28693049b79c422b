"""OpenTelemetry spans as runs: decoding, conventions, links. Arithmetic, except for `links`.

Attribute keys are data: they are looked up in dictionaries and never become identifiers.
"""
