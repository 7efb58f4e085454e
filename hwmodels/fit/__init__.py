"""Fits of the cost laws to measurements, and their errors on what was left out."""
