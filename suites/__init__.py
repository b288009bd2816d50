"""Suites, and what asv tracks of them over commits."""
