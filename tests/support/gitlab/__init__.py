"""GitLab for tests: a stand-in that hosts and remembers, and a table that judges our requests.

`host.GitLabHost` serves what the adapter uses of GitLab's REST API, and git, over real HTTP on this
machine; `parameters` holds every request against the parameters that GitLab documents; `faults`
makes things go wrong. Nothing here ever talks to GitLab.

Example::

    with GitLabHost(tmp_path / "gitlab") as host: ...
"""
