"""From scalar loops to code that runs over packed entries."""
