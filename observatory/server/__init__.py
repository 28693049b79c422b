"""The web server's worker: a request takes a thread only once it is here as a whole."""
