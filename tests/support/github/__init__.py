"""GitHub for tests: a stand-in that hosts and remembers, and a contract that judges both sides.

`host.GitHubHost` serves GitHub's REST API and git over real HTTP on this machine;
`contract.Contract` holds requests and answers against GitHub's own published description;
`faults.Fault` makes things go wrong. Nothing here ever talks to GitHub.

Example::

    with GitHubHost(tmp_path / "github") as host: ...
"""
