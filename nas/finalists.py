"""Finalists: chosen from the front, retrained, written as files, read once on report people.

Order: finalist 1 has the lowest int8 MAE on *search* people. Report people choose nothing.

A retrained network is kept in `retrained/ID` as soon as it is there, a finalist in `front/N` when
all its files are; a killed run redoes only what is missing.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.decoding import Decoding, calibrate
from nas.distillery import Distillery, Retrained, Trainer
from nas.front import pick_spread
from nas.journal import Candidate
from nas.problem import Problem
from nas.progress import Tick
from nas.run_dir import RunDir, new_folder
from nas.study import front_of
from ppg.metrics import by_activity, summary
from ppg.recording import Recording
from ppg.transitions import Transitions
from ppgnas.errors import ExportError, RunError
from ppgnas.files import write_bytes_atomic, write_json_atomic, write_text_atomic

if TYPE_CHECKING:
    from deploy.quantized import QuantizedNet
    from distill.evaluation import Predictions
    from hwmodels.boards import Board
    from hwmodels.engine import Engine
    from search_spaces.arch import Arch

PARITY_WINDOWS = 500
MAX_TFLITE_LSB = 1
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


def choose_finalists(
    candidates: Sequence[Candidate], problem: Problem, count: int
) -> list[Candidate]:
    """Up to `count`: of the front, spread by hypervolume, and larger networks, see `larger`.

    The lowest inherited MAE is always among them.

    Returns:
        In the order of picking, larger networks last; fewer when there is no more to offer.
    """
    front = front_of(list(candidates), problem)
    judged = [(c, c.mae_bpm) for c in front if c.mae_bpm is not None]
    if not judged:
        return []
    values = [problem.objective_values(mae_bpm, c.costs) for c, mae_bpm in judged]
    best = min(range(len(judged)), key=lambda index: (judged[index][1], judged[index][0].number))
    picked = pick_spread(values, problem.reference_values, count, include=[best])
    chosen = [judged[index][0] for index in picked]
    further = larger(candidates, judged[best][0].costs.macs, count // 2)
    further = [candidate for candidate in further if candidate not in chosen]
    return [*chosen[: count - len(further)], *further]


def larger(candidates: Sequence[Candidate], macs: int, count: int) -> list[Candidate]:
    """The lowest inherited MAE in each of `count` classes of size above `macs`, largest first.

    A supernet that was trained for minutes under-rates its large networks: they inherit weights
    that need more steps. So the front of inherited MAE ends at small networks, while after
    retraining the larger ones that fit the budgets are the more accurate ones.

    Args:
        candidates: of a search.
        macs: multiply-accumulates where the classes begin; they end at the largest candidate's.
        count: classes, of equal width in log MAC.
    """
    judged = [c for c in candidates if c.feasible and c.mae_bpm is not None]
    most = max((c.costs.macs for c in judged), default=0)
    if count < 1 or most <= macs:
        return []
    found: dict[int, Candidate] = {}
    width = math.log(most / macs) / count
    for candidate in judged:
        if candidate.costs.macs <= macs:
            continue
        size = min(int(math.log(candidate.costs.macs / macs) / width), count - 1)
        known = found.get(size)
        if known is None or (candidate.mae_bpm, candidate.number) < (known.mae_bpm, known.number):
            found[size] = candidate
    return [found[size] for size in sorted(found, reverse=True)]


@dataclass(frozen=True)
class Finalist:
    """A retrained network and where it came from."""

    candidate: Candidate
    net: QuantizedNet
    search_mae_bpm: float


def retrain_finalists(
    chosen: Sequence[Candidate], trainer: Trainer, run: RunDir, progress: Tick
) -> None:
    """Retrain what `retrained/` does not hold yet, and keep each as soon as it is there."""
    missing = [c for c in chosen if not is_retrained(run, c)]
    if not missing:
        return

    def keep(index: int, result: Retrained) -> None:
        candidate = missing[index]
        with new_folder(run.retrained / candidate.arch.id) as folder:
            result.net.save(folder)
            write_json_atomic(
                folder / "result.json",
                {"id": candidate.arch.id, "search_mae_bpm": float(result.search_mae_bpm)},
            )

    trainer.retrain_many([c.arch for c in missing], progress, keep)
    lost = [c.arch.id for c in missing if not is_retrained(run, c)]
    if lost:
        raise RunError(f"finalists: {', '.join(lost)} were not retrained; continue with --resume")


def is_retrained(run: RunDir, candidate: Candidate) -> bool:
    """Whether `retrained/` holds the network of a candidate."""
    return (run.retrained / candidate.arch.id / "result.json").is_file()


def ranked(chosen: Sequence[Candidate], run: RunDir) -> list[Finalist]:
    """The retrained networks, lowest int8 MAE on search people first."""
    from deploy.quantized import QuantizedNet

    finalists = []
    for candidate in chosen:
        folder = run.retrained / candidate.arch.id
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        net = QuantizedNet.load(folder)
        finalists.append(Finalist(candidate, net, float(result["search_mae_bpm"])))
    return sorted(finalists, key=lambda f: (f.search_mae_bpm, f.candidate.number))


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


def write_finalists(
    finalists: Sequence[Finalist],
    judging: Judging,
    *,
    distillery: Distillery,
    run: RunDir,
    progress: Tick,
) -> None:
    """Write `front/N` of every finalist that is not complete.

    Raises:
        ExportError: a TFLite file differs from the integer reference by more than 1 LSB.
        OSError: the disk is full; finalists written before are whole.
    """
    for index, finalist in enumerate(finalists):
        number = index + 1
        if number not in run.finalists() or run.card(number)["id"] != finalist.candidate.arch.id:
            with new_folder(run.finalist(number)) as folder:
                _write_finalist(folder, number, finalist, judging, distillery)
        progress(number, len(finalists), f"finalist {number}")
    for number in run.finalists():
        if number > len(finalists):
            shutil.rmtree(run.finalist(number))


def _write_finalist(
    folder: Path, number: int, finalist: Finalist, judging: Judging, distillery: Distillery
) -> None:
    card = write_model(
        folder,
        finalist.net,
        finalist.candidate.arch,
        judging=judging,
        distillery=distillery,
        facts={
            "finalist": number,
            "search_mae_bpm": {
                "inherited": finalist.candidate.mae_bpm,
                "retrained_int8": finalist.search_mae_bpm,
            },
        },
    )
    write_json_atomic(folder / "card.json", card)


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
        ExportError: the TFLite file differs from the integer reference by more than 1 LSB.
    """
    from deploy import onnx_export, parity, tflite
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
    if agreement["tflite_max_lsb"] > MAX_TFLITE_LSB:
        raise ExportError(
            f"network {arch.id}: the TFLite file differs from the integer reference "
            f"by {agreement['tflite_max_lsb']} LSB on {agreement['windows']} windows; at most "
            f"{MAX_TFLITE_LSB} is allowed. Check the installed TFLite runtime against "
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
    from deploy.single_rounding import RULE

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
    """`ppg.metrics.by_activity` of predictions."""
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
