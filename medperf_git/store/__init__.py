"""The store: paths, a registry at one commit, and the client's own files.

``paths`` maps records to places and back, ``snapshot`` reads a registry at one commit,
``change`` builds commits, ``home`` keeps what the client remembers.
"""
