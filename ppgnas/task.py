"""What every room agrees on: a network reads 8 s of signal and answers with 180 heart rates.

A new window begins every 2 s. Class `c` stands for `30 + c` BPM, see `ppg.readout.classes`.
"""

from __future__ import annotations

WINDOW_S = 8
STRIDE_S = 2.0
CLASSES = 180
