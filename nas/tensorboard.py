"""The course of each training for TensorBoard, taken from the run's CSV files as they grow.

Whatever process or machine trains, its file lies in the run directory, so one place writes events.
They are made anew when a search goes on: what counts are the files.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from distill.training.metrics import COLUMNS, SEARCH, rows_of, search_rows
from nas.run.job.progress import Progress, Tick
from ppgnas.errors import DependencyError, install_line

EVERY_S = 10.0
TENSORBOARD = "tensorboard"


def check_tensorboard() -> None:
    """Refuse to log where TensorBoard is not installed.

    Raises:
        DependencyError: it is not.
    """
    if find_spec(TENSORBOARD) is None:
        raise DependencyError(f"`log` tensorboard needs it: {install_line('log')}")


class Events:
    """Progress that looks for new rows now and then.

    Args:
        out: folder for the events, which is emptied.
    """

    def __init__(self, progress: Progress, metrics: Path, out: Path) -> None:
        self._progress, self._metrics, self._out = progress, metrics, out
        shutil.rmtree(out, ignore_errors=True)
        self._seen: dict[str, int] = {}
        self._looked_s = 0.0

    def say(self, message: str) -> None:
        """One line."""
        self._progress.say(message)

    @contextmanager
    def phase(self, label: str) -> Iterator[Tick]:
        """A phase, at whose end everything is there."""
        with self._progress.phase(label) as tick:

            def looking(done: int, total: int, note: str) -> None:
                tick(done, total, note)
                if time.monotonic() > self._looked_s + EVERY_S:
                    self._look()

            try:
                yield looking
            finally:
                self._look()

    def _look(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        for path in sorted(self._metrics.glob("*.csv")):
            last = self._seen.get(path.stem, 0)
            new = [row for row in rows_of(path) if int(row["step"]) > last]
            if not new:
                continue
            with SummaryWriter(self._out / path.stem) as writer:
                for row in new:
                    step = int(row["step"])
                    writer.add_scalar("loss", float(row["loss"]), step)
                    writer.add_scalar("learning rate", float(row["learning_rate"]), step)
                    for term in [*row][len(COLUMNS) :]:
                        writer.add_scalar(f"terms/{term}", float(row[term]), step)
            self._seen[path.stem] = int(new[-1]["step"])
        for path in sorted(self._metrics.glob(f"*{SEARCH}")):
            last = self._seen.get(path.name, 0)
            known = [row for row in search_rows(path) if int(row["step"]) > last]
            if not known:
                continue
            with SummaryWriter(self._out / path.name.removesuffix(SEARCH)) as writer:
                for row in known:
                    title = f"MAE of search people, {row['arithmetic']} (BPM)"
                    writer.add_scalar(title, float(row["mae_bpm"]), int(row["step"]))
            self._seen[path.name] = int(known[-1]["step"])
        self._looked_s = time.monotonic()
