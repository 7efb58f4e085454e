"""The command `ppgnas`. Verbs import what they need when they run, so that `--help` is fast."""

from __future__ import annotations

import os
import threading
from typing import Annotated

import typer

from nas.cli import boards as cli_info
from nas.cli import calibrate as cli_calibrate
from nas.cli import evaluate as cli_read
from nas.cli import rescore as cli_rescore
from nas.cli import score as cli_model
from nas.cli import search as cli_search
from nas.cli import train as cli_train
from nas.cli import verify as cli_verify
from nas.cli.bench import records as cli_records
from nas.cli.data import verbs as cli_data
from nas.run import interrupt
from ppgnas import __version__

app = typer.Typer(
    name="ppgnas",
    no_args_is_help=True,
    add_completion=False,
    # Plain help: the rich one costs a quarter of a second and breaks the examples' lines.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 99},
)
app.command("search")(cli_search.search)
app.command("score")(cli_model.score)
app.command("rescore")(cli_rescore.rescore)
app.command("evaluate")(cli_read.evaluate)
app.command("predict")(cli_read.predict)
app.command("train")(cli_train.train)
app.command("export")(cli_model.export)
app.command("verify")(cli_verify.verify)
app.command("report")(cli_model.report)
app.command("calibrate")(cli_calibrate.calibrate)
app.add_typer(cli_info.boards, name="boards")
app.add_typer(cli_info.engines, name="engines")
cli_info.bench.command("records")(cli_records.records)
app.add_typer(cli_data.data, name="data")
app.add_typer(cli_info.bench, name="bench")


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
    if threading.current_thread() is threading.main_thread():
        interrupt.listen()
    app(args=arguments, prog_name="ppgnas")


if __name__ == "__main__":
    main()
