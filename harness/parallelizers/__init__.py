"""The core's own parallelizers."""
