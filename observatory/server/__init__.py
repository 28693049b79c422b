"""The web server's worker: a request gets a thread only once it has arrived completely.

Must not import a room or a face: it passes complete requests to a WSGI application.
"""
