"""Which workers run which layers, in what order, and what that promises."""
