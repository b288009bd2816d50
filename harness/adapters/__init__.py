"""The same suites in other tools: pytest and asv."""
