"""The version, in the one place that the package and its build read it from.

Example:
    >>> __version__.count(".")
    2
"""

__version__ = "0.1.0"
