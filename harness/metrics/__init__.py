"""The core's own metrics: what any run, and a training run, leaves in its trace."""
