"""The folder of one trained network: files, their check against the integers, and the card.

What a search writes of each finalist and `ppgnas train` of its one network. Report people are read
here, once.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.models.backend import Distillery
from nas.models.readout import Decoding, calibrate
from ppg.people.metrics import by_activity, summary
from ppg.readout.transitions import Transitions
from ppg.recording import Recording
from ppgnas.errors import ExportError
from ppgnas.files import write_bytes_atomic, write_json_atomic, write_text_atomic

if TYPE_CHECKING:
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
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Write all files of a network but its card.

    Args:
        folder: an empty one.
        net, arch: the network.
        judging: what it is judged on.
        distillery: gives predictions and windows.
        facts: further entries of the card.

    Returns:
        The card, to be written last: a folder with a card is complete.

    Raises:
        ExportError: the TFLite file does not equal the integer reference in LiteRT's rounding.
    """
    from deploy import onnx_export, parity
    from deploy.tflite import writer as tflite
    from hwmodels.arena import lower_bound_plan
    from hwmodels.scorecard import score

    net.save(folder)
    write_json_atomic(folder / "arch.json", arch.to_json())
    # The plan costs a few bytes of the file and spares TFLM arena; other runtimes ignore it.
    model = tflite.write(net, plan=lower_bound_plan(net.graph))
    onnx = onnx_export.write(net)
    write_bytes_atomic(folder / "model.tflite", model)
    write_bytes_atomic(folder / "model.onnx", onnx)
    windows = distillery.input_windows(arch, judging.search, PARITY_WINDOWS)
    agreement = parity.compare(net, model, onnx, net.quantize_input(windows))
    if agreement["tflite_rule_max_lsb"] > 0:
        raise ExportError(
            f"network {arch.id}: the TFLite file differs from the integer reference with LiteRT's "
            f"rounding by {agreement['tflite_rule_max_lsb']} LSB on {agreement['windows']} "
            "windows; it must equal it. Check the installed TFLite runtime against "
            "constraints.txt, then continue with --resume"
        )
    decoding = calibrate(
        net,
        judging.search,
        rate_hz=arch.rate_hz,
        acceleration=arch.acceleration,
        transitions=judging.transitions,
    )
    in_c = _write_c(
        folder,
        net,
        arch,
        judging=judging,
        distillery=distillery,
        transitions=decoding.transitions,
    )
    predictions = distillery.predict(net, arch, judging.report, transitions=decoding.transitions)
    write_text_atomic(folder / "predictions.csv", predictions_csv(predictions, decoding))
    card = score(
        net.graph,
        judging.board,
        judging.engine,
        period_s=judging.period_s,
        file_bytes=len(model),
    )
    return {
        "format": "ppgnas-card",
        "version": 1,
        **facts,
        "id": arch.id,
        "arch": arch.to_json(),
        "synthetic": judging.synthetic,
        "arithmetic": "int8",
        **decoding.to_json(),
        "report": {
            **summary(
                predictions.reference_bpm,
                predictions.bpm,
                predictions.bpm_smoothed,
                predictions.person,
                predictions.people,
            ),
            "activities": activities_of(predictions),
        },
        "costs": card.to_json(),
        "weight_bytes": card.weight_bytes,
        "macs": card.macs,
        "parity": dict(agreement),
        "c": in_c,
        "files": _fingerprints(folder),
        "versions": judging.versions,
    }


def _write_c(
    folder: Path,
    net: QuantizedNet,
    arch: Arch,
    *,
    judging: Judging,
    distillery: Distillery,
    transitions: Transitions,
) -> dict[str, Any]:
    """Write `model.c` and `model.h`; what the card says of them, or why they are not there."""
    from deploy.c.build import model_files
    from deploy.integers.single_rounding import RULE

    try:
        files = model_files(net, folder)
    except ExportError as error:
        return {"refused": str(error)}
    errors = {}
    for who, recordings in (("search", judging.search), ("report", judging.report)):
        found = distillery.predict(net, arch, recordings, transitions=transitions, rule=RULE)
        measured = summary(
            found.reference_bpm, found.bpm, found.bpm_smoothed, found.person, found.people
        )
        errors[who] = {
            "mae_bpm_c": measured["mae_bpm"],
            "mae_bpm_c_smoothed": measured["mae_bpm_smoothed"],
        }
    return {
        "scratch_bytes": files.scratch_bytes,
        "rule": RULE,
        "sha256": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (files.source, files.header)
        },
        **errors,
    }


def activities_of(predictions: Predictions) -> dict[str, dict[str, float]]:
    """`ppg.people.metrics.by_activity` of predictions."""
    return by_activity(
        predictions.reference_bpm,
        predictions.bpm,
        predictions.bpm_smoothed,
        predictions.person,
        predictions.people,
        predictions.activity,
        predictions.activity_names,
    )


def _fingerprints(folder: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        found[path.name] = {"bytes": len(content), "sha256": digest}
    return found


def predictions_csv(predictions: Predictions, decoding: Decoding) -> str:
    """One row a window; heart rates in BPM, `activity` by name, empty where it is not known."""
    expected = [
        decoding.expected_error_bpm(predictions),
        decoding.expected_error_smoothed_bpm(predictions),
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(PREDICTION_COLUMNS)
    for index in range(len(predictions.bpm)):
        activity = int(predictions.activity[index])
        writer.writerow(
            (
                predictions.people[predictions.person[index]],
                predictions.recordings[predictions.recording[index]],
                f"{predictions.start_s[index]:.3f}",
                f"{predictions.reference_bpm[index]:.2f}",
                f"{predictions.bpm[index]:.2f}",
                f"{predictions.bpm_smoothed[index]:.2f}",
                f"{predictions.spread_bpm[index]:.2f}",
                f"{predictions.spread_smoothed_bpm[index]:.2f}",
                *("" if row is None else f"{row[index]:.2f}" for row in expected),
                predictions.activity_names[activity] if activity >= 0 else "",
            )
        )
    return text.getvalue()
