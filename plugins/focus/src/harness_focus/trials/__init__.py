"""Cells: Focus and what it is held against on one stream, with every cost measured."""
