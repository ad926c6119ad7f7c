"""The rules: one class a rule, one function ``check(base, head) -> Report``.

The client, CI, a server's hook, ``merge`` and ``audit`` all call the same function; none may
skip a rule. Rules read trees and nothing else.
"""
