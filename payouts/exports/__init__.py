"""Exports: the payouts that a filter of the list gives, written to a file by the worker and kept for a week.

The filter is read by the list itself, so that a file holds what the list shows; one that cannot be read exports
nothing.
"""
