"""Reading results: listings and leaderboards, from a registry at one commit.

Reads only; trusts what the audit accepted.
"""
