"""Wrist recordings and what is scored on them.

Recordings of PPG, acceleration and reference heart rate (read from .npz folders or synthesised),
their cutting into windows, augmentation, heart-rate targets and decoding, the split of people
into train, search and report, and the metrics of a report. Numpy and scipy only: this room knows
no other room, and nothing here imports torch.
"""
