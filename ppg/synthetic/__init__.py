"""Synthetic people: heart, pulse, motion, noise and sensor."""
