"""How a training tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""`(done, total, note)`; may raise to stop the training between two steps."""
