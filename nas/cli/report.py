"""The verb `report`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, verb
from nas.cli.options import Text


@verb
def report(
    run: options.Run,
    figures: Annotated[
        Text,
        typer.Option(
            metavar="DIR",
            help="Write every figure there too: as CSV, and as PNG and SVG where the package "
            "kaleido and a Chrome or Chromium are installed.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Write report.html of a run anew.

    \b
    ppgnas report results/run
    ppgnas report results/run --figures figures/
    """
    from nas.report.figure_files import write_figures
    from nas.report.report import write_report
    from nas.run.folder import RunDir
    from ppgnas.errors import install_line

    directory = RunDir(Path(run))
    directory.document()
    directory.candidates()
    path = write_report(directory.path)
    written = [] if figures is None else write_figures(directory.path, Path(figures))
    if figures is not None and not any(each.suffix == ".png" for each in written):
        line = install_line("figures")
        print(f"Figures as CSV alone; PNG and SVG need kaleido: {line}", file=sys.stderr)
    if as_json:
        emit({"report": str(path), "figures": [str(each) for each in written]})
    else:
        print(shlex.quote(str(path)))
