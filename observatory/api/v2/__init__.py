"""The second version of the wire, as the SDKs' generated clients speak it, under /api/v2."""
