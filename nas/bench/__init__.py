"""Measurements of the tool itself: searches, orders, cost models, files, published protocols."""
