"""Tuning: the cheap network, T and K that meet a target on a stream at the least cost."""
