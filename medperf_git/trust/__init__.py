"""Trust: keys, SSH signatures, and who must sign what.

``keys`` reads and makes keys, ``sshsig`` signs and verifies, ``authority`` is design.md §5 as
a function. Nothing here reads a repository: callers bring bytes and a view of the base.
"""
