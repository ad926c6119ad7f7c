"""Runs pytest and fails if any test was skipped: a skipped test holds nothing.

Example:
    $ python tools/run_tests.py tests/canonical -n 2
"""

from __future__ import annotations

import sys

import pytest


class NoSkips:
    """Counts skipped tests, those of xdist's workers included, and fails the session."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test was reported; an expected failure (`xfail`) is no skip."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A whole file was skipped while it was collected."""
        if report.skipped:
            self.skipped.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """All tests are done: skipped ones make the exit code 1."""
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why the exit code is what it is."""
        if self.skipped:
            terminalreporter.write_line(f"FAILED: {len(self.skipped)} skipped", red=True)


if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[1:], plugins=[NoSkips()]))
