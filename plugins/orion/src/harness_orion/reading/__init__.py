"""The front end: a body's text in, its arguments and accesses out."""
