"""What a model's layers cost: profiles, measured, read, or published."""
