"""The top-K index of a stream: clusters of its objects, written a segment at a time and read meanwhile."""
