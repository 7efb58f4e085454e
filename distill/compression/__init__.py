"""Smaller than it was trained: structured pruning of a network's channels."""
