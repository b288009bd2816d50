"""Plans of random loops, checked against what the loops really touch."""
