"""The verb `bench search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import AsJson, Text


@verb
def bench_search(
    run: Annotated[
        Text, typer.Argument(metavar="[RUN]", help="A finished run, for its times.")
    ] = None,
    baseline: Annotated[
        Text, typer.Option(help="With --page: a run to compare with, say of random search.")
    ] = None,
    page: Annotated[Text, typer.Option(help="Write RUN as a Markdown page to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Time to judge one architecture, time of --help, and what a run took.

    \b
    ppgnas bench search results/run
    ppgnas bench search results/run --baseline results/random --page run.md
    """
    from dataclasses import asdict

    from nas.bench.search import bench_search as measure
    from nas.run.folder import RunDir
    from nas.run.units import format_duration

    if page is not None:
        from nas.bench.search_page import search_page
        from ppgnas.errors import RunError
        from ppgnas.files import write_text_atomic

        if run is None:
            raise RunError(
                "`page` needs the run that it shows: ppgnas bench search RUN --page FILE"
            )
        other = None if baseline is None else RunDir(Path(baseline))
        write_text_atomic(Path(page), search_page(RunDir(Path(run)), other))
    figures = measure(RunDir(Path(run)) if run is not None else None)
    if as_json:
        emit({key: value for key, value in asdict(figures).items() if value is not None})
        return
    print(f"cost of one architecture   {figures.cost_us:.0f} us")
    print(f"ppgnas --help              {figures.help_s:.2f} s")
    found = figures.run
    if found is not None:
        print(
            f"{found.path}: {found.considered} considered, {found.evaluated} evaluated, "
            f"{found.finalists} finalists"
        )
        for phase, seconds in found.time_s.items():
            print(f"{phase:<26} {format_duration(seconds)}")
