"""Git, by its own programs: what ``vcs`` is made of.

``reader`` and ``history`` read objects and histories, ``fetch`` brings what another repository has,
``commands`` writes and sends. Nothing here knows of records.
"""
