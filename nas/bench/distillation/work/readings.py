"""Report and search people read with a network, in floats or integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from distill.evaluation import Predictions, decoded, float_logits, raw_mae_bpm
from nas.bench.distillation.records import Judges, PeopleErrors
from ppg.people.metrics import mae_by_person
from ppg.windows import WindowSet

REST, IN_MOTION = "rest", "all but rest"


def errors_of(read: Predictions) -> PeopleErrors:
    """Of all windows, within each activity that is known, and of all but those at rest."""
    windows = read.windows

    def within(rows: NDArray[np.bool_]) -> PeopleErrors:
        raw_by, smoothed_by = (
            mae_by_person(windows.hr_bpm[rows], bpm[rows], windows.person[rows], windows.people)
            for bpm in (read.raw.bpm, read.smoothed.bpm)
        )
        return PeopleErrors(raw_by, smoothed_by)

    done = {name: windows.activity == code for code, name in enumerate(windows.activity_names)}
    moving = (windows.activity >= 0) & ~done.get(REST, np.zeros(len(windows), np.bool_))
    done = {IN_MOTION: moving, **done}
    activities = {name: within(rows) for name, rows in done.items() if rows.any()}
    return replace(within(np.ones(len(windows), np.bool_)), activities=activities)


def judged(
    network: nn.Module, search: WindowSet, report: WindowSet, judges: Judges
) -> tuple[float, PeopleErrors]:
    """Raw error on search people, and the errors of report people, of a network in float."""
    search_bpm = raw_mae_bpm(float_logits(network, search), search)
    read = decoded(float_logits(network, report), report, transitions=judges.transitions)
    return search_bpm, errors_of(read)
