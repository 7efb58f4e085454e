"""The work of a bench, as worker processes do it."""
