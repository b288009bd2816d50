"""A pass over a space on the ranks of a communicator: rotation, served arrays, prefetch, checkpoints."""
