"""Looking into nested mappings by dotted path.

Example:
    >>> lookup({"auroc": {"value": 0.7}}, "auroc.value")
    0.7
"""

from __future__ import annotations

from typing import Any, Final


class Missing:
    """The type of `MISSING`."""


MISSING: Final = Missing()
"""What `lookup` returns where the path leads nowhere: None may be a value."""


def lookup(data: Any, path: str) -> Any:
    """The value at a dotted path, or `MISSING`."""
    for key in path.split("."):
        if not isinstance(data, dict) or key not in data:
            return MISSING
        data = data[key]
    return data
