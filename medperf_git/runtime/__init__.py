"""Running containers at a site: artefacts, engines, limits, and reading what came out.

Imports ``errors``, ``atomic``, ``canonical`` and ``records`` only. Does not know registries,
signatures or Git, asks nobody anything and prints nothing.
"""
