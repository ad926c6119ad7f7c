"""The `mpgit` command: parse, call one workflow, print. Only here is anything printed or asked.

One file a noun; ``main`` finds them by name and imports only the one that was typed.
"""
