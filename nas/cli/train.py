"""The verb `train`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import (
    ANY_NETWORK,
    AsJson,
    Data,
    Device,
    Effort,
    Recipe,
    ReportData,
    ReportFrom,
    Split,
    Teacher,
    Unlabelled,
)
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE

ARCH_HELP = f"An arch.json, RUN:ID, or published:NAME with {ANY_NETWORK}"


@verb
def train(
    arch: Annotated[str, typer.Argument(metavar="ARCH", help=ARCH_HELP)],
    data: Data,
    out: Annotated[
        str,
        typer.Option(
            help="Folder to write; it must not exist. Where a training was stopped, the same "
            "command goes on."
        ),
    ],
    report_data: ReportData = None,
    report_from: ReportFrom = None,
    split: Split = None,
    effort: Effort = "standard",
    teacher: Teacher = "none",
    unlabelled: Unlabelled = None,
    recipe: Recipe = "direct",
    seed: Annotated[int, typer.Option(help="Decides everything that is drawn.")] = 0,
    board: Annotated[str, typer.Option(help="Board of the card: name or .toml.")] = DEFAULT_BOARD,
    engine: Annotated[str, typer.Option(help="Runtime of the card.")] = DEFAULT_ENGINE,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Train one architecture into a folder that evaluate, predict, score and export take.

    \b
    ppgnas train published:timeppg-small --data recordings/ --out timeppg
    ppgnas train results/run:1 --data recordings/ --out again --teacher resnet-small --seed 3
    ppgnas train published:large --data recordings/ --out small --recipe prune-70
    """
    from nas.models import train as training
    from nas.models.names import ModelError, find_model
    from nas.run.config import TrainConfig
    from nas.run.progress import for_terminal

    found = find_model(arch)
    if found.arch is None:
        raise ModelError(f"{arch} has no architecture to train; allowed: {ARCH_HELP}")
    config = TrainConfig(
        data=data,
        report_data=report_data,
        report_from=report_from,
        split=split,
        seed=seed,
        effort=effort,
        teacher=teacher,
        unlabelled=unlabelled,
        recipe=recipe,
        board=board,
        engine=engine,
        device=device,
    )
    try:
        card = training.train_model(
            found.arch,
            config,
            Path(out),
            command="ppgnas " + shlex.join(sys.argv[1:]),
            progress=for_terminal(),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "The same command goes on from the last checkpoint, if there is one yet."
        ) from None
    report = card.report
    for told in card.cautions or ():
        print(f"Note: {told}", file=sys.stderr)
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
        f"{out}: report people {'; '.join(files)} (int8, mean of {len(report.people)} people"
        f"{', SYNTHETIC recordings' if card.synthetic else ''}); {card.weight_bytes} B of "
        f"weights, {card.macs} MAC, {card.costs.latency_ms.value:.2f} ms ({card.costs.engine})"
    )
