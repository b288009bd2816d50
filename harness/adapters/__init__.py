"""The same suites in other tools: pytest, asv and Slurm."""
