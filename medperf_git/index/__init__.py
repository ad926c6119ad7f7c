"""The index: a derived copy of a registry's records that answers questions at speed.

A cache and nothing else. No verdict rests on it: audits, checks and requests never read it (an
import-linter contract holds them to that), and whatever is wrong with it is thrown away.
"""
