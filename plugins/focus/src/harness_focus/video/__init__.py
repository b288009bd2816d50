"""Video as frames with times, and what moves in them."""
