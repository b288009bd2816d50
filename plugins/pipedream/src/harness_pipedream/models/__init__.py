"""A model as layers that stages can be made of."""
