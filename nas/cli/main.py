"""The command `ppgnas`. Verbs import what they need when they run, so that `--help` is fast."""

from __future__ import annotations

import functools
import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Annotated

import typer

from nas.cli.bench.cells import CELL_VERBS
from nas.cli.bench.crossmodal import bench_crossmodal
from nas.cli.bench.deploy import bench_deploy
from nas.cli.bench.hwmodels import bench_hwmodels
from nas.cli.bench.personalize import bench_personalize
from nas.cli.bench.ranking import bench_ranking
from nas.cli.bench.records import records
from nas.cli.bench.search import bench_search
from nas.cli.bench.training import bench_training
from nas.cli.calibrate import calibrate
from nas.cli.catalogue.boards import check_board, list_boards, new_board, show_board
from nas.cli.catalogue.lists import list_data, list_engines, list_teachers
from nas.cli.data.convert import convert
from nas.cli.data.fetch import fetch_data
from nas.cli.data.inspect import inspect
from nas.cli.doctor import doctor
from nas.cli.evaluate import evaluate
from nas.cli.export import export
from nas.cli.personalize import personalize
from nas.cli.predict import predict
from nas.cli.pretrain.embed import embed
from nas.cli.pretrain.pretrain import pretrain
from nas.cli.report import report
from nas.cli.rescore import rescore
from nas.cli.score import score
from nas.cli.search import search
from nas.cli.train import train
from nas.cli.verify import verify
from nas.run.job import interrupt
from ppgnas import __version__

app = typer.Typer(
    name="ppgnas",
    no_args_is_help=True,
    # Plain help: the rich one costs a quarter of a second and breaks the examples' lines.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 99},
)
VERBS = (
    search,
    score,
    rescore,
    evaluate,
    predict,
    personalize,
    pretrain,
    embed,
    train,
    export,
    verify,
    report,
    calibrate,
    doctor,
)
GROUPS: tuple[tuple[str, str, dict[str, Callable[..., None]]], ...] = (
    (
        "boards",
        "Boards that a search can aim at.",
        {"list": list_boards, "show": show_board, "check": check_board, "new": new_board},
    ),
    ("engines", "Runtimes that execute a network.", {"list": list_engines}),
    ("teachers", "Networks that students learn from.", {"list": list_teachers}),
    (
        "data",
        "Recordings.",
        {"list": list_data, "fetch": fetch_data, "inspect": inspect, "convert": convert},
    ),
    (
        "bench",
        "Measurements of the tool itself.",
        {
            "search": bench_search,
            "deploy": bench_deploy,
            "hwmodels": bench_hwmodels,
            "training": bench_training,
            "ranking": bench_ranking,
            "crossmodal": bench_crossmodal,
            "personalize": bench_personalize,
            "records": records,
            **CELL_VERBS,
        },
    ),
)
for function in VERBS:
    app.command()(function)
for group, text, verbs in GROUPS:
    members = typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)
    for name, member in verbs.items():
        members.command(name)(member)
    app.add_typer(members, name=group)


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Find heart-rate networks for wrist PPG that fit a microcontroller.

    \b
    ppgnas search --budget 80KB
    ppgnas search --budget 80KB --data recordings/ --board stm32h743
    ppgnas export results/run:1 --format tflite --out firmware/
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    Args:
        arguments: words after `ppgnas`; those of the process if None.
    """
    # numpy's matrices are small here: more than one BLAS thread only waits for the others, which
    # slows the integer reference down several times on a busy machine. Before numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a path may hold bytes that are no UTF-8
        sys.stdout.reconfigure(errors="surrogateescape")
    if threading.current_thread() is threading.main_thread():
        interrupt.listen()
    _command()(args=arguments, prog_name="ppgnas")


@functools.cache
def _command() -> Callable[..., object]:
    """All verbs with their options: reading these takes longer than many a verb."""
    return typer.main.get_command(app)


if __name__ == "__main__":
    main()
