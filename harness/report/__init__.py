"""What a run shows: tables in the terminal, and JSON."""
