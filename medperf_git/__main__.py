"""Runs ``mpgit`` as ``python -m medperf_git``.

Example:
    $ python -m medperf_git --version
"""

from medperf_git.cli.main import main

main()
