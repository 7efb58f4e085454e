"""The verb `bench search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import command_line, emit, folder_for, goes_on, page_file, seeds_of, verb
from nas.cli.options import Text
from ppgnas.tables import counted


@verb
def bench_search(
    run: Annotated[
        Text, typer.Argument(metavar="[RUN]", help="A finished run, for its times.")
    ] = None,
    seeds: Annotated[
        Text, typer.Option(help="Hold a contest with these seeds, such as 0,1,2.")
    ] = None,
    out: Annotated[
        Text, typer.Option(help="Folder of the contest; what is in it is not trained again.")
    ] = None,
    budget: Annotated[Text, typer.Option(help="As of a search; default 80KB.")] = None,
    latency: Annotated[Text, typer.Option(help="As of a search.")] = None,
    sram: Annotated[Text, typer.Option(help="As of a search.")] = None,
    data: Annotated[
        Text, typer.Option(help="Folder of recordings, or synthetic (default).")
    ] = None,
    report_data: options.ReportData = None,
    report_from: options.ReportFrom = None,
    split: options.Split = None,
    space: Annotated[Text, typer.Option(help="As of a search.")] = None,
    board: Annotated[Text, typer.Option(help="As of a search.")] = None,
    engine: Annotated[Text, typer.Option(help="As of a search.")] = None,
    effort: Annotated[
        Text, typer.Option(help="smoke, quick (default), standard or thorough.")
    ] = None,
    page: Annotated[
        Text, typer.Option(help="Write the contest as a Markdown page to this file.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Speed figures, and what RUN took; or with --seeds: does searching pay?

    A contest holds a search for each seed, and trains for as long what nobody searched for: random
    networks, networks spread over the sizes, hand-made ones. It goes on where it stopped.

    \b
    ppgnas bench search results/run
    ppgnas bench search --seeds 0,1,2 --data recordings/ --out results/contest --page contest.md
    """
    given = {
        name: value
        for name, value in locals().items()
        if name not in ("run", "seeds", "out", "page", "as_json") and value is not None
    }
    from ppgnas.errors import RunError

    file = page_file(page, "search")
    if seeds is not None:
        if run is not None:
            raise RunError("`seeds` holds a contest, which searches itself; leave out RUN")
        _contest(given, seeds, folder_for(out or "results/contest"), file, as_json=as_json)
        return
    for_contest = [*given, *(["out"] if out else []), *(["page"] if page else [])]
    if for_contest:
        raise RunError(
            f"`{min(for_contest)}` is for a contest; name its `seeds`, such as 0,1,2 (the page of "
            "a run is its report.html)"
        )
    _speed(run, as_json=as_json)


def _contest(
    given: dict[str, object], seeds: str, out: Path, page: Path | None, *, as_json: bool
) -> None:
    from dataclasses import asdict

    from nas.bench.search.contest import contest
    from nas.bench.search.figures import figures
    from nas.bench.search.page import bands, contest_page, contest_text, draw_bands
    from nas.run.job.progress import for_terminal
    from nas.run.resolve import resolve
    from ppgnas.files import write_text_atomic

    numbers, command = seeds_of(seeds), command_line()
    config = resolve({"budget": "80KB", "effort": "quick", **given})
    with goes_on():
        held = contest(config, out, seeds=numbers, command=command, progress=for_terminal())
    found, drawn = figures(held), bands(held)
    if page is not None:
        plot = page.with_suffix(".html")
        text = contest_page(found, drawn, command=command, plot=plot.name)
        write_text_atomic(page, text)
        write_text_atomic(plot, draw_bands(drawn, synthetic=found.synthetic).to_html())
    if as_json:
        emit({**asdict(found), "attainment": [asdict(band) for band in drawn]})
        return
    print(contest_text(found))


def _speed(run: str | None, *, as_json: bool) -> None:
    from dataclasses import asdict

    from nas.bench.search.speed import bench_search as measure
    from nas.run.folder import RunDir
    from nas.run.units import format_duration

    figures = measure(RunDir(Path(run)) if run is not None else None)
    if as_json:
        emit({key: value for key, value in asdict(figures).items() if value is not None})
        return
    print(f"cost of one architecture   {figures.cost_us:.0f} us")
    for candidates, milliseconds in figures.overhead_ms.items():
        print(f"a candidate of {candidates:<11,} {milliseconds:.1f} ms")
    print(f"ppgnas --help              {figures.help_s:.2f} s")
    found = figures.run
    if found is not None:
        print(
            f"{found.path}: {found.considered} considered, {found.evaluated} of them fit, "
            f"{counted(found.finalists, 'finalist')}"
        )
        for phase, seconds in found.time_s.items():
            print(f"{phase:<26} {format_duration(seconds)}")
