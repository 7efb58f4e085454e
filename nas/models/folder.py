"""The folder of one trained network: files, their check against the integers, and the card.

What a search writes of each finalist and `ppgnas train` of its one network. Report people are read
here, once.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nas.models.backend import Distillery
from nas.models.readout import Decoding, calibrate
from nas.run.card import (
    Card,
    CardCosts,
    CardParity,
    ErrorsInC,
    FileFacts,
    InC,
    NotInC,
    Origin,
    ReportErrors,
)
from ppg.readout.transitions import Transitions
from ppg.recording import Recording
from ppgnas.errors import ExportError
from ppgnas.files import write_json_atomic, write_text_atomic

if TYPE_CHECKING:
    from deploy import package
    from deploy.c.build import ModelFiles
    from deploy.integers.quantized import QuantizedNet
    from distill.evaluation import Predictions
    from hwmodels.boards import Board
    from hwmodels.engines.engine import Engine
    from search_spaces.arch import Arch

PARITY_WINDOWS = 500
PREDICTION_COLUMNS = (
    "person",
    "recording",
    "start_s",
    "reference_bpm",
    "bpm",
    "bpm_smoothed",
    "spread_bpm",
    "spread_smoothed_bpm",
    "expected_error_bpm",
    "expected_error_smoothed_bpm",
    "activity",
)


@dataclass(frozen=True)
class Judging:
    """What every finalist is judged on.

    Attributes:
        board, engine, period_s: the target.
        search, report: recordings of search and of report people.
        synthetic: whether any recording is generated.
        versions: of what the result depends on.
        transitions: how heart rate moves, from training people.
    """

    board: Board
    engine: Engine
    period_s: float
    search: Sequence[Recording]
    report: Sequence[Recording]
    synthetic: bool
    versions: dict[str, str]
    transitions: Transitions = field(default_factory=Transitions)


def write_model(
    folder: Path,
    net: QuantizedNet,
    arch: Arch,
    *,
    judging: Judging,
    distillery: Distillery,
    origin: Origin,
) -> Card:
    """Write all files of a network, its card last: a folder with a card is complete.

    Args:
        folder: an empty one.
        net, arch: the network.
        judging: what it is judged on.
        distillery: gives predictions and windows.
        origin: where the network comes from.

    Returns:
        The card.

    Raises:
        ExportError: the TFLite file does not equal the integer reference in LiteRT's rounding.
    """
    from deploy.package import fingerprints, write_package
    from hwmodels.scorecard import score

    write_json_atomic(folder / "arch.json", arch.to_json())
    windows = distillery.input_windows(arch, judging.search, PARITY_WINDOWS)
    written = write_package(folder, net, name=arch.id, x=windows)
    decoding = calibrate(net, judging.search, arch, transitions=judging.transitions)
    predict = partial(distillery.predict, net, arch, transitions=decoding.transitions)
    predictions = predict(judging.report)
    write_text_atomic(folder / "predictions.csv", predictions_csv(predictions, decoding))
    files = fingerprints(folder)
    costs = score(
        net.graph,
        judging.board,
        judging.engine,
        period_s=judging.period_s,
        file_bytes=written.tflite_bytes,
    )
    card = Card(
        **vars(origin),
        id=arch.id,
        arch=arch,
        synthetic=judging.synthetic,
        smoothing=decoding.transitions,
        confidence=decoding.confidence,
        report=ReportErrors(**vars(predictions.summary()), activities=predictions.by_activity()),
        costs=CardCosts.from_json(costs.to_json()),
        weight_bytes=costs.weight_bytes,
        macs=costs.macs,
        parity=CardParity(**written.parity),
        c=_in_c(written.c, files, predict, judging),
        files={name: FileFacts(**facts) for name, facts in files.items()},
        versions=judging.versions,
    )
    write_json_atomic(folder / "card.json", card.to_json())
    return card


def _in_c(
    c: ModelFiles | ExportError,
    files: Mapping[str, package.FileFacts],
    predict: Callable[..., Predictions],
    judging: Judging,
) -> InC | NotInC:
    """What the card says of `model.c` and `model.h`, or why they are not there."""
    from deploy.integers.single_rounding import RULE

    if isinstance(c, ExportError):
        return NotInC(str(c))
    search, report = (
        ErrorsInC(errors.mae_bpm, errors.mae_bpm_smoothed)
        for errors in (
            predict(recordings, rule=RULE).summary()
            for recordings in (judging.search, judging.report)
        )
    )
    return InC(
        c.scratch_bytes,
        RULE,
        {path.name: files[path.name]["sha256"] for path in (c.source, c.header)},
        search,
        report,
    )


def predictions_csv(predictions: Predictions, decoding: Decoding) -> str:
    """One row a window; heart rates in BPM, `activity` by name, empty where it is not known."""
    windows, raw, smoothed = predictions.windows, predictions.raw, predictions.smoothed
    series = (
        windows.hr_bpm,
        raw.bpm,
        smoothed.bpm,
        raw.spread_bpm,
        smoothed.spread_bpm,
        decoding.expected_error_bpm(predictions),
        decoding.expected_error_smoothed_bpm(predictions),
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PREDICTION_COLUMNS)
    for index in range(len(windows)):
        activity = int(windows.activity[index])
        writer.writerow(
            (
                windows.people[windows.person[index]],
                windows.recordings[windows.recording[index]],
                f"{windows.start_s[index]:.3f}",
                *("" if row is None else f"{row[index]:.2f}" for row in series),
                windows.activity_names[activity] if activity >= 0 else "",
            )
        )
    return text.getvalue()
