"""A pass over a space: serially, and on threads."""
