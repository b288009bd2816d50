"""Queries: all seconds with a class in them, from the index and the expensive network."""
