"""Recordings as .npz files: reading, checking, writing."""
