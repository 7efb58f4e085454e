"""How a network's logits become heart rates: what a card says about smoothing and confidence.

The smoother's width comes from training people, what a reading's spread means in BPM from search
people and, while they are few, from how other networks erred. Report people choose nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nas.run.card import Card, ModelFile, Reading
from ppg.readout.confidence import Confidence, HeldOut, fit_confidence, leave_one_out
from ppg.readout.smoothing import Smoothing
from ppg.readout.transitions import Transitions, usual_transitions
from ppgnas.tables import counted

if TYPE_CHECKING:
    from deploy.integers.reference import Rule
    from distill.evaluation import Predictions

RULES: dict[ModelFile, Rule] = {"model.tflite": "tflm", "model.c": "c"}
"""Files, and the rule of `deploy.integers.reference` that each computes."""


FEW_PEOPLE = 6
FEWEST_HELD_OUT = 3  # people; a mean over fewer says nothing of others


@dataclass(frozen=True)
class Decoding:
    """Smoother and confidence of one network; the defaults where a card says nothing.

    Attributes:
        raw, smoothed: expected errors of raw and of smoothed (`hmm`) readings, None if unknown.
        held_out: how these tables hold on search people who are left out of them.
        search_people_mae_bpm: error of raw readings of each search person.
    """

    transitions: Transitions = field(default_factory=Transitions)
    raw: Confidence | None = None
    smoothed: Confidence | None = None
    held_out: dict[Reading, HeldOut] = field(default_factory=dict, compare=False)
    search_people_mae_bpm: dict[str, float] = field(default_factory=dict, compare=False)

    def expected_error_bpm(self, predictions: Predictions) -> NDArray[np.float64] | None:
        """Expected absolute error of each raw reading; None if it was never calibrated."""
        if self.raw is None:
            return None
        return self.raw.expected_error_bpm(predictions.raw.spread_bpm)

    def expected_error_smoothed_bpm(
        self, predictions: Predictions, *, smoothing: Smoothing = "hmm"
    ) -> NDArray[np.float64] | None:
        """The same of each smoothed reading; clipped ones take the table of raw readings."""
        if smoothing != "hmm":
            return self.expected_error_bpm(predictions)
        if self.smoothed is None:
            return None
        return self.smoothed.expected_error_bpm(predictions.smoothed.spread_bpm)

    @property
    def confidence(self) -> dict[Reading, Confidence]:
        """The tables that are known."""
        tables: dict[Reading, Confidence | None] = {"raw": self.raw, "smoothed": self.smoothed}
        return {key: table for key, table in tables.items() if table is not None}


def cautions(held_out: Mapping[Reading, HeldOut]) -> tuple[str, ...]:
    """Why expected errors may not hold, in sentences; empty where nothing speaks against them."""
    found = []
    people = max((row.people for row in held_out.values()), default=FEW_PEOPLE + 1)
    if people <= FEW_PEOPLE:
        found.append(
            f"Expected errors rest on {counted(people, 'search person', 'search people')}, and "
            "more on how other networks erred: they may be off by a factor of two. More search "
            "people make them surer."
        )
    found += [
        f"{doubt(reading)}: for search people who are left out they say {row.expected_bpm:.1f} "
        f"BPM, and the error is {row.error_bpm:.1f}."
        for reading, row in held_out.items()
        if row.people >= FEWEST_HELD_OUT and not row.holds
    ]
    found += [
        f"{doubt(reading)}: {counted(row.people, 'search person', 'search people')} cannot tell, "
        f"with others like them they would be {row.ratio_low:.1f} to {row.ratio_high:.1f} times "
        "the true ones (90 %, people resampled)."
        for reading, row in held_out.items()
        if row.people >= FEWEST_HELD_OUT and row.holds and not row.known
    ]
    return tuple(found)


DOUBTS = ("Expected errors of ", "Whether expected errors of ")  # the second in older cards


def doubt(reading: Reading) -> str:
    """How the sentences of `cautions` that are of one network alone begin."""
    return f"{DOUBTS[0]}{reading} readings may not hold for other people"


def decoding_of(card: Card | None) -> Decoding:
    """What a card says; a card of an older version says nothing."""
    if card is None:
        return Decoding()
    tables = card.confidence
    usual = usual_transitions(card.arch.task)
    return Decoding(card.smoothing or usual, tables.get("raw"), tables.get("smoothed"))


def calibrate(read: Predictions, *, transitions: Transitions) -> Decoding:
    """Fit a network's decoding on search people.

    Args:
        read: readings of search people, of the file that will run.
        transitions: of their smoother, fitted to training people.
    """
    from ppg.readout import typical

    windows = read.windows
    (raw, of_raw), (smoothed, of_smoothed) = (
        (fit_confidence(*seen, prior=prior), leave_one_out(*seen, prior=prior))
        for of, prior in ((read.raw, typical.RAW), (read.smoothed, typical.SMOOTHED))
        for seen in [(of.spread_bpm, of.bpm - windows.hr_bpm, windows.person)]
    )
    people = {name: row.mae_bpm for name, row in read.summary().people.items()}
    held_out: dict[Reading, HeldOut] = {"raw": of_raw, "smoothed": of_smoothed}
    return Decoding(transitions, raw, smoothed, held_out, people)
