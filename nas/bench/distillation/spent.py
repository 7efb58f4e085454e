"""Seconds of one core that a piece of work takes, also when it is killed and goes on."""

from __future__ import annotations

import time
from pathlib import Path

from nas.run.documents import read_document
from nas.run.job.progress import Tick
from ppgnas.files import write_json_atomic

KEEP_EVERY_S = 10.0


class Spent:
    """Counts from its making on, what it counted before a kill included.

    Args:
        path: where the seconds are kept; what is lost in a kill are at most the last ten.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before_s = read_document(path, _seconds) if path.exists() else 0.0
        self._began_s = self._kept_s = time.process_time()

    @property
    def seconds(self) -> float:
        """Until now."""
        return self._before_s + time.process_time() - self._began_s

    def keep(self) -> None:
        """Write them."""
        write_json_atomic(self._path, {"seconds": self.seconds})

    def watching(self, progress: Tick) -> Tick:
        """A progress that keeps the seconds now and then."""

        def tick(done: int, total: int, note: str) -> None:
            if time.process_time() - self._kept_s >= KEEP_EVERY_S:
                self._kept_s = time.process_time()
                self.keep()
            progress(done, total, note)

        return tick


def _seconds(document: dict[str, float]) -> float:
    return float(document["seconds"])
