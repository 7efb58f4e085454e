"""Costs of the generated C: which steps it takes, in which memory, at which price."""
