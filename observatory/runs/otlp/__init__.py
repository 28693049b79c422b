"""OpenTelemetry spans as runs: decoding, conventions, links. Arithmetic, but for `links`.

Attribute keys are data throughout: looked up in dictionaries, never a name of ours.
"""
