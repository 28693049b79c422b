"""What every wing of the API is built from: credentials, bodies, errors, pages, OpenAPI.

It knows no resource.
"""
