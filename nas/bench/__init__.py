"""Measurements of the tool itself: searches, hardware models, deployment, published protocols."""
