"""The folder of one trained network: files, their check against the integers, and the card.

What a search writes of each finalist and `ppgnas train` of its one network. Report people are read
here, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nas.models.readout import RULES, Decoding, calibrate, cautions
from nas.models.stretches import STRETCHES, worst_stretches
from nas.run.card import (
    Card,
    CardCosts,
    ErrorsInC,
    ErrorsInOnnx,
    ErrorsInTflite,
    FileFacts,
    InC,
    InOnnx,
    InTflite,
    ModelFile,
    NotInC,
    Origin,
    ReportErrors,
)
from nas.run.documents import write_rows
from nas.run.job.machine import versions
from nas.run.people import People
from nas.run.target import Target
from ppg.readout.transitions import Transitions
from ppgnas.errors import ExportError
from ppgnas.files import write_json_atomic, write_text_atomic
from ppgnas.tables import csv_table

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from deploy.package import FileFacts as PackageFacts
    from deploy.package import Package
    from distill.evaluation import Predictions
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
        transitions: how heart rate moves, from training people.
    """

    target: Target
    people: People
    transitions: Transitions


def write_model(
    folder: Path, net: QuantizedNet, arch: Arch, *, judging: Judging, origin: Origin
) -> Card:
    """Write all files of a network, its card last: a folder with a card is complete.

    Raises:
        ExportError: the TFLite file does not equal the integer reference in LiteRT's rounding.
    """
    from deploy.package import fingerprints, write_package
    from distill.evaluation import predict_windows
    from ppg.windows import windows_of

    target, people = judging.target, judging.people
    write_json_atomic(folder / "arch.json", arch.to_json())
    search, report = (
        windows_of(part, arch, mode=target.mode) for part in (people.search, people.report)
    )
    written = write_package(
        folder, net, name=arch.id, x=search.spread(PARITY_WINDOWS), mode=target.mode
    )
    in_c = not isinstance(written.c, ExportError)
    made: tuple[ModelFile, ...] = ("model.tflite", "model.c") if in_c else ("model.tflite",)
    by_file = {
        file: (
            predict_windows(net, search, transitions=judging.transitions, rule=RULES[file]),
            predict_windows(net, report, transitions=judging.transitions, rule=RULES[file]),
        )
        for file in made
    }
    in_windows = by_file["model.tflite"]
    if target.mode == "streaming":
        in_windows = (
            predict_windows(net, windows_of(people.search, arch), smoothing="none"),
            predict_windows(net, windows_of(people.report, arch), smoothing="none"),
        )
    file = target.file if target.file in by_file else "model.tflite"
    ranked, predictions = by_file[file]
    decoding = calibrate(ranked, transitions=judging.transitions)
    write_text_atomic(folder / "predictions.csv", predictions_csv(predictions, decoding))
    write_rows(folder, STRETCHES, worst_stretches(predictions, people.report))
    files = fingerprints(folder)
    costs = target.score(net.graph, file_bytes=written.tflite_bytes)
    if file != target.file:  # no C: the error that ranked it is that of another file
        errors = replace(origin.search_mae_bpm, retrained_int8=ranked.summary().mae_bpm)
        origin = replace(origin, search_mae_bpm=errors)
    card = Card(
        **vars(origin),
        id=arch.id,
        arch=arch,
        file=file,
        mode=target.mode,
        synthetic=people.synthetic,
        unlabelled=people.unlabelled.facts if people.unlabelled else None,
        channels=people.channels,
        smoothing=decoding.transitions,
        confidence=decoding.confidence,
        confidence_held_out=decoding.held_out,
        search_people_mae_bpm=decoding.search_people_mae_bpm,
        cautions=(
            *cautions(decoding.held_out),
            *([f"The network {costs.fit}."] if min(costs.room.values()) < 1 else []),
        ),
        report=ReportErrors(**vars(predictions.summary()), activities=predictions.by_activity()),
        costs=CardCosts.from_json(costs.to_json()),
        weight_bytes=costs.weight_bytes,
        macs=costs.macs,
        parity=written.parity,
        tflite=_in_tflite(*by_file["model.tflite"]),
        onnx=_in_onnx((folder / "model.onnx").read_bytes(), net, in_windows, judging.transitions),
        c=_in_c(written, files, by_file),
        files={name: FileFacts(**facts) for name, facts in files.items()},
        versions=versions(),
    )
    write_json_atomic(folder / "card.json", card.to_json())
    return card


def _in_tflite(search: Predictions, report: Predictions) -> InTflite:
    both = (search.summary(), report.summary())
    return InTflite(*(ErrorsInTflite(each.mae_bpm, each.mae_bpm_smoothed) for each in both))


def _in_onnx(
    model: bytes,
    net: QuantizedNet,
    by_rule: tuple[Predictions, Predictions],
    transitions: Transitions,
) -> InOnnx:
    """Errors of the ONNX file, run as its users run it, on windows of search and report people.

    Args:
        by_rule: what the integer reference reads of them.
    """
    from deploy import onnx_export
    from distill.evaluation import decoded

    furthest_bpm = 0.0

    def read(truth: Predictions) -> ErrorsInOnnx:
        nonlocal furthest_bpm
        logits = onnx_export.run(model, net.quantize_input(truth.windows.x))
        read = decoded(net.dequantize_output(logits), truth.windows, transitions=transitions)
        furthest_bpm = max(furthest_bpm, float(np.abs(read.raw.bpm - truth.raw.bpm).max()))
        found = read.summary()
        return ErrorsInOnnx(found.mae_bpm, found.mae_bpm_smoothed)

    search, report = map(read, by_rule)
    return InOnnx(search, report, furthest_bpm)


def _in_c(
    written: Package,
    files: Mapping[str, PackageFacts],
    by_file: Mapping[ModelFile, tuple[Predictions, Predictions]],
) -> InC | NotInC:
    """What the card says of `model.c` and `model.h`, or why they are not there."""
    c = written.c
    if isinstance(c, ExportError):
        return NotInC(str(c))
    search, report = (
        ErrorsInC(errors.mae_bpm, errors.mae_bpm_smoothed)
        for errors in (read.summary() for read in by_file["model.c"])
    )
    return InC(
        c.scratch_bytes,
        RULES["model.c"],
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
    rows = (
        (
            windows.people[windows.person[index]],
            windows.recordings[windows.recording[index]],
            f"{windows.start_s[index]:.3f}",
            *("" if row is None else f"{row[index]:.2f}" for row in series),
            windows.activity_names[activity] if activity >= 0 else "",
        )
        for index, activity in enumerate(windows.activity.tolist())
    )
    return csv_table(PREDICTION_COLUMNS, rows)
