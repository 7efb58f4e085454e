"""How a recording of one's own is to be read: what options and mapping files say alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppg.loaders.own.columns import Columns
from ppg.plausible import SLOWEST_HZ
from ppg.recording import check_drift
from ppgnas.errors import DataError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """What is known of a file beside its content.

    Attributes:
        columns: what each is; None: guessed from their names, and said.
        subject, dataset, name: whose recording, of which data set; None: the column of people or
            the file says it, `own`, and the file's name.
        rate_hz: rows a second, where there is no time column.
        acc_file, acc_rate_hz: of the acceleration, if it has its own file.
        acc_per_g: values per g; None: the unit in the file, or gravity, tells it.
        hr_file, hr_rate_hz: of the reference, if it has its own file.
        lag_s, drift_ppm: to add to the clock of the reference, see `Recording.with_lag`.
        names: of the columns in their order, instead of what the file calls them; empty: its own.
    """

    columns: Columns | None = None
    subject: str | None = None
    dataset: str | None = None
    name: str | None = None
    rate_hz: float | None = None
    acc_file: Path | None = None
    acc_rate_hz: float | None = None
    acc_per_g: float | None = None
    hr_file: Path | None = None
    hr_rate_hz: float | None = None
    lag_s: float = 0.0
    drift_ppm: float = 0.0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option, value, least in (
            ("`rate_hz`", self.rate_hz, SLOWEST_HZ),
            ("`acc_rate_hz`", self.acc_rate_hz, SLOWEST_HZ),
            ("`hr_rate_hz`", self.hr_rate_hz, 0.0),
            ("`acc_per_g`", self.acc_per_g, 0.0),
        ):
            if value is not None and not (np.isfinite(value) and value > 0 and value >= least):
                allowed = f"{least:g} or more" if least else "a number above 0"
                raise DataError(f"{option} is {value:g}; allowed: {allowed}.")
        if not np.isfinite(self.lag_s):
            raise DataError(f"`lag_s` is {self.lag_s:g}; allowed: a number of seconds.")
        check_drift(self.drift_ppm)
        for option, given, needs, there in (
            ("`acc_rate_hz`", self.acc_rate_hz, "`acc_file`", self.acc_file),
            ("`hr_rate_hz`", self.hr_rate_hz, "`hr_file`", self.hr_file),
        ):
            if given is not None and not there:
                raise DataError(
                    f"{option} is given without {needs}, whose rows it counts; give both, or "
                    "leave it out."
                )
        if self.hr_rate_hz is not None and self.columns and self.columns.hr_time is not None:
            raise DataError(
                "`hr_rate_hz` and `hr_time` are both given; allowed: one of them. Leave one out."
            )
        for option, name in (("`subject`", self.subject), ("`dataset`", self.dataset)):
            if name is not None and (not name.strip() or not name.isprintable() or "/" in name):
                raise DataError(f"{option} is {name!r}; allowed: one printable name without /.")
