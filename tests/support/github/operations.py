"""The operations of GitHub's REST API that the stand-in serves and the contract knows in full.

A request for another one is a violation, which says whether GitHub has it at all.

Example:
    >>> "GET /user" in OPERATIONS
    True
"""

from __future__ import annotations

from typing import Final

_REPO: Final = "/repos/{owner}/{repo}"

OPERATIONS: Final = (
    "GET /meta",
    "GET /user",
    f"GET {_REPO}",
    f"POST {_REPO}/forks",
    f"GET {_REPO}/pulls",
    f"POST {_REPO}/pulls",
    f"GET {_REPO}/pulls/{{pull_number}}",
    f"PATCH {_REPO}/pulls/{{pull_number}}",
    f"PUT {_REPO}/pulls/{{pull_number}}/merge",
    f"GET {_REPO}/issues/{{issue_number}}/comments",
    f"POST {_REPO}/issues/{{issue_number}}/comments",
    f"GET {_REPO}/issues/{{issue_number}}/labels",
    f"POST {_REPO}/issues/{{issue_number}}/labels",
    f"GET {_REPO}/commits/{{ref}}/check-runs",
    f"POST {_REPO}/check-runs",
    f"GET {_REPO}/commits/{{ref}}/status",
    f"GET {_REPO}/rulesets",
    f"POST {_REPO}/rulesets",
    f"GET {_REPO}/rulesets/{{ruleset_id}}",
    f"PUT {_REPO}/rulesets/{{ruleset_id}}",
    f"GET {_REPO}/rules/branches/{{branch}}",
    f"GET {_REPO}/actions/permissions",
    f"GET {_REPO}/branches/{{branch}}/protection",
)
"""`METHOD /path/{template}`, spelt as in GitHub's description."""
