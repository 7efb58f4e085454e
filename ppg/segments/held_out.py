"""Who is kept away from every training of encoders: whole people, some of each data set."""

from __future__ import annotations

import zlib

import numpy as np

from ppg.recording import data_set_of
from ppg.segments.shards import Shards
from ppgnas.errors import DataError

SHARE = 0.2
FEWEST_HOURS = 1.5


def draw_held_out(shards: Shards, *, seed: int, fewest_h: float = FEWEST_HOURS) -> tuple[str, ...]:
    """Draw a fifth of the people of each data set; a data set of one person trains.

    Args:
        fewest_h: hours of whole people that must be held out.

    Raises:
        DataError: they last less, or nobody is left to train on.
    """
    groups: dict[str, list[str]] = {}
    for person in shards.people:
        groups.setdefault(data_set_of(person), []).append(person)
    drawn: list[str] = []
    for name, group in groups.items():
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        count = min(len(group) - 1, max(1, round(SHARE * len(group))))
        drawn += [group[int(index)] for index in rng.permutation(len(group))[:count]]
    hours = shards.hours_of(drawn)
    if hours < fewest_h or not drawn:
        raise DataError(
            f"{len(drawn)} of {len(shards.people)} people are held out, who last {hours:.2f} h; "
            f"at least {fewest_h:g} h of whole people must be, or a retrieval says nothing. Add "
            "recordings, or ask for less with `held_out_hours`"
        )
    return tuple(sorted(drawn))
