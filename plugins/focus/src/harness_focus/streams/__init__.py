"""Composed streams, and the expensive network that knows what crosses them."""
