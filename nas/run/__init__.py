"""A run directory: configuration, people, candidates, and who may write."""
