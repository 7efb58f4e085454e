"""Splits, protocols and errors by person."""
