"""Breaks while it is imported."""

raise SystemExit("crumbles to dust")
