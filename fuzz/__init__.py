"""Fuzzing of what reads a stranger's bytes: `python -m fuzz --seconds 30`."""
