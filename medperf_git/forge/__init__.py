"""Requests on hosts: one interface, one file a host.

A host only carries commits; none is trusted, and none judges. ``base`` is the interface,
``plain`` any Git server.
"""
