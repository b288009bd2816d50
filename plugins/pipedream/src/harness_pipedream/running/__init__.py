"""A plan in motion: workers, weight versions, what they send, and checkpoints."""
