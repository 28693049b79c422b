"""The web server's worker: a request takes a thread only once it has arrived as a whole.

Must not import a room or a face: it hands a WSGI application what it has read.
"""
