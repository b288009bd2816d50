"""A stream as experiments see it: all its objects, what the expensive network calls them, and how right answers are."""
