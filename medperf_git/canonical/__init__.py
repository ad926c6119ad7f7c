"""Bytes <-> data: the only YAML codec of the project, and its digests.

Depends on nothing but ``errors``. Does not know what a record is.
"""
