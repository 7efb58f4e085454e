"""Exports of single devices: signals without a reference, for `predict` and `data inspect`."""
