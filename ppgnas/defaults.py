"""The board and the engine where a user names none."""

from __future__ import annotations

DEFAULT_BOARD = "stm32h743"
DEFAULT_ENGINE = "ppgnas-c"
