"""medperf_git: federated benchmarking of medical AI, with a Git repository as its database."""

__version__ = "0.1.0"
