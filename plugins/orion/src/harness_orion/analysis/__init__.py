"""What may run at once: dependences, the strategy that they allow, where arrays go, and why."""
