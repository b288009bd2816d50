"""The core's own workloads, and the kinds that several plugins share."""
