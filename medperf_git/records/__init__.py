"""The records: one frozen pydantic model a kind, no IO.

A record is one YAML file of a registry. ``kinds`` lists them all, ``codec`` turns bytes into
records and back, ``schema`` makes the JSON Schemas. What a record may refer to and who must
sign it is decided elsewhere (``checks``, ``trust``).
"""
