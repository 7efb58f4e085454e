"""The verb `train`."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import options
from nas.cli.common import (
    CHECKPOINT,
    arithmetic_of,
    command_line,
    emit,
    goes_on,
    print_notes,
    verb,
)
from nas.cli.options import Text
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from ppgnas.tables import counted

if TYPE_CHECKING:
    from nas.run.config import TrainConfig

ARCH_HELP = f"An arch.json, RUN:ID, or published:NAME with {options.ANY_NETWORK}"


@verb
def train(
    data: options.Data,
    out: Annotated[
        str,
        typer.Option(
            help="Folder to write, or file of a teacher; it must not exist. Where a training was "
            "stopped, the same command goes on."
        ),
    ],
    arch: Annotated[Text, typer.Argument(metavar="ARCH", help=ARCH_HELP)] = None,
    report_data: options.ReportData = None,
    report_from: options.ReportFrom = None,
    split: options.Split = None,
    effort: options.Effort = "standard",
    teacher: options.Teacher = "none",
    teacher_only: Annotated[
        bool, typer.Option("--teacher-only", help="Train the teacher alone; no ARCH.")
    ] = False,
    distill: options.Distill = None,
    unlabelled: options.Unlabelled = None,
    channels: options.Channels = None,
    recipe: options.Recipe = "direct",
    student_inputs: options.StudentInputs = None,
    teacher_inputs: options.TeacherInputs = None,
    mode: options.Mode = "window",
    window: options.Window = None,
    stride: options.Stride = None,
    bpm: options.Bpm = None,
    seed: options.Seed = 0,
    board: Annotated[str, typer.Option(help="Board of the card: name or .toml.")] = DEFAULT_BOARD,
    engine: Annotated[str, typer.Option(help="Runtime of the card.")] = DEFAULT_ENGINE,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Train one architecture into a folder that evaluate, predict, score and export take.

    \b
    ppgnas train published:timeppg-small --data recordings/ --out timeppg
    ppgnas train results/run:1 --data recordings/ --out again --teacher resnet-small --seed 3
    ppgnas train published:large --data recordings/ --out small --recipe prune-70
    ppgnas train published:tiny --data recordings/ --out s --mode streaming
    ppgnas train published:tiny --data recordings/ --out w --window 6s --stride 1s --bpm 40-199
    ppgnas train published:tiny --data recordings/ --out t --teacher auto --distill soft:1,w1:0.1
    ppgnas train published:tiny-ppg --data rec/ --out t --teacher auto --teacher-inputs ppg+acc
    ppgnas train --teacher-only --teacher resnet-50 --data recordings/ --out teacher.safetensors
    """
    # All options but four are fields of the configuration, by the same names.
    given = {
        name: value
        for name, value in locals().items()
        if name not in ("out", "arch", "teacher_only", "as_json") and value is not None
    }
    from nas.run.config import ConfigError, TrainConfig
    from nas.run.windows import take_windows

    if (arch is None) != teacher_only:
        raise ConfigError(
            "an ARCH and `teacher_only` exclude each other, and one of them is needed: name what "
            f"to train. ARCH: {ARCH_HELP}"
        )
    windows = take_windows(given)
    config = TrainConfig(windows=windows, **given)
    if arch is None:
        _teacher(config, out, as_json=as_json)
    else:
        _network(arch, config, out, as_json=as_json)


def _teacher(config: TrainConfig, out: str, *, as_json: bool) -> None:
    from nas.models.train import teach
    from nas.run.job.progress import for_terminal

    with goes_on(CHECKPOINT):
        taught = teach(config, Path(out), progress=for_terminal())
    facts = taught.facts
    if os.environ.get("RANK", "0") != "0":
        return  # one of several processes says it for all
    if as_json:
        report = [asdict(errors) for errors in taught.report]
        emit({"teacher": out, **facts.to_json(), "report": report})
        return
    print(
        f"{out}: {facts.name}, {facts.parameters:,} parameters; search people "
        f"{facts.search_mae_bpm:.2f} BPM raw; calibration error {facts.ece_before:.3f}, "
        f"{facts.ece_after:.3f} with its temperature"
    )
    for errors in taught.report:
        print(
            f"{counted(errors.people, 'report person', 'report people')}, {errors.name}: "
            f"{errors.mae_bpm:.2f} BPM raw, {errors.mae_bpm_smoothed:.2f} smoothed"
        )


def _network(arch: str, config: TrainConfig, out: str, *, as_json: bool) -> None:
    from nas.models import train as training
    from nas.models.names import ModelError, find_model
    from nas.run.job.progress import for_terminal

    found = find_model(arch)
    if found.arch is None:
        raise ModelError(f"{arch} has no architecture to train; allowed: {ARCH_HELP}")
    with goes_on(CHECKPOINT):
        card = training.train_model(
            found.arch, config, Path(out), command=command_line(), progress=for_terminal()
        )
    report = card.report
    print_notes(card.cautions or ())
    if as_json:
        plain = card.to_json()
        kept = {key: plain[key] for key in ("id", "report", "costs", "synthetic")}
        emit({"model": out, **kept, **card.errors_by_file()})
        return
    files = [
        f"{mae:.2f} BPM raw, {smoothed:.2f} smoothed as {file}"
        for file, (mae, smoothed) in card.report_mae_bpm.items()
    ]
    print(
        f"{out}: report people {'; '.join(files)} ({arithmetic_of(card.mode)}, "
        f"mean of {counted(len(report.people), 'person', 'people')}"
        f"{', SYNTHETIC recordings' if card.synthetic else ''}); "
        f"{card.weight_bytes} B of weights, {card.macs} MAC, {card.costs.latency_ms.value:.2f} ms "
        f"({card.costs.engine})"
    )
