"""The verb `rescore`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, verb
from nas.cli.options import Text

NOTHING_FITS = 3


@verb
def rescore(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of a finished search.")],
    board: Annotated[
        str,
        typer.Option(help="Board by name or .toml; several with commas give one table of all."),
    ],
    engine: Annotated[
        Text, typer.Option(help="Runtime by name.", show_default="the run's own")
    ] = None,
    rate: options.Rate = None,
    budget_scope: options.BudgetScope = None,
    ppg_hz: options.PpgHz = None,
    acc_hz: options.AccHz = None,
    ppg_channels: options.PpgChannels = None,
    smoothing: options.PathSmoothing = None,
    ppg_sensor: options.PpgSensor = None,
    accelerometer: options.Accelerometer = None,
    out: Annotated[
        Text, typer.Option(help="The page.", show_default="RUN/rescore-BOARD.html")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """All candidates of a run under another board or engine, without training.

    Says who enters and leaves the front and what room the finalists have, as Markdown, and writes
    a page with a slope chart. Leaves with 3 where no candidate with a foretold error fits.

    \b
    ppgnas rescore results/run --board nrf5340
    ppgnas rescore results/run --board nrf5340 --accelerometer 12uW --budget-scope total
    ppgnas rescore results/run --board stm32u585,nrf5340,stm32h743
    ppgnas rescore results/run --board my_board.toml --engine st-edge-ai --json
    """
    given = {name: value for name, value in locals().items() if value is not None}
    from hwmodels.boards import boards_of
    from nas.explore.rescore import report_path
    from nas.explore.rescore import rescore as rescore_run
    from nas.report.boards import best_over_all, markdown_boards
    from nas.report.rescore import error_words, markdown, rescore_page
    from nas.run.folder import RunDir
    from nas.run.target import take_surroundings
    from nas.run.units import parse_ms
    from ppgnas.errors import RunError
    from ppgnas.files import write_text_atomic

    period_s = None if rate is None else parse_ms(rate, name="rate") / 1000
    directory = RunDir(Path(run))
    boards = boards_of(board)
    if len(boards) > 1 and out is not None:
        raise RunError(
            f"`out` names one page, and there are {len(boards)} boards, each with a page beside "
            "the run; leave `out` out"
        )
    asked = directory.document().config
    around = take_surroundings(given, asked.around, inputs=asked.student_inputs)
    found = [
        rescore_run(
            directory,
            board=name,
            engine=engine,
            period_s=period_s,
            scope=budget_scope,
            around=around,
        )
        for name in boards
    ]
    pages = []
    for each in found:
        path = report_path(directory, each.before, each.after) if out is None else Path(out)
        write_text_atomic(path, rescore_page(each))
        pages.append(path)
    documents = [
        {**each.to_json(), "report": str(path)} for each, path in zip(found, pages, strict=True)
    ]
    if len(found) > 1:
        best = best_over_all(found)
        if as_json:
            emit({"boards": documents, "best_over_all": best and best.finalist})
        else:
            print(markdown_boards(found))
    elif as_json:
        emit(documents[0])
    else:
        print(markdown(found[0]))
    if not as_json:
        print(f"\nPage: {shlex.join(map(str, pages))}")
    nowhere = [
        (name, each.after.board)
        for name, each in zip(boards, found, strict=True)
        if not each.feasible.after
    ]
    for name, title in nowhere:
        print(
            f"ppgnas: no candidate of {run} with {error_words(found[0])} fits {title}; search "
            f"for that board: ppgnas search --board {shlex.quote(name)} ...",
            file=sys.stderr,
        )
    if len(nowhere) == len(found):
        raise typer.Exit(NOTHING_FITS)
