"""What every room agrees on: a network reads 8 s of signal and answers with 180 heart rates.

A new window begins every 2 s. Class `c` stands for `30 + c` BPM, see `ppg.readout.classes`. A
network runs over each window anew, or, streaming, over the 2 s that are new, and keeps what later
layers read of the past.
"""

from __future__ import annotations

from typing import Literal, get_args

WINDOW_S = 8
STRIDE_S = 2.0
CLASSES = 180
BLOCKS = 4
"""Strides a window: what streaming pools over."""

Mode = Literal["window", "streaming"]
MODES: tuple[Mode, ...] = get_args(Mode)

PPG, PPG_ACC = INPUTS = ("ppg", "ppg+acc")
"""What a network or a teacher reads: the PPG alone, or three axes of acceleration beside it."""
