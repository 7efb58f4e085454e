"""The verb `bench personalize`."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import command_line, emit, folder_for, page_file, verb
from ppgnas.parsing import listed


@verb
def bench_personalize(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="RUN:ID or folders of `ppgnas train`; their people are pooled.",
        ),
    ],
    data: options.Data,
    minutes: Annotated[str, typer.Option(help="Lengths of the calibration.")] = "1,3,5,15",
    kind: Annotated[
        str, typer.Option(help="With commas; see ppgnas personalize.")
    ] = "none,prior,bias,scale-bias,head,low-rank",
    out: Annotated[
        str, typer.Option(help="Folder; what is in it is not computed again.")
    ] = "results/personalize",
    page: options.Page = None,
    as_json: options.AsJson = False,
) -> None:
    """Error against minutes of labels, on report people of each network. Goes on where it stopped.

    \b
    ppgnas bench personalize results/run:1 --data recordings/ --page personalize.md
    ppgnas bench personalize fold1 fold2 --data recordings/ --minutes 5 --kind prior,low-rank
    """
    from dataclasses import asdict

    from nas.bench.personal.page import bench_page, bench_text, rows_of
    from nas.bench.personal.run import run_bench
    from nas.models.names import find_model
    from nas.personal.calibration import check_minutes, kind_of
    from nas.run.job.progress import for_terminal
    from nas.run.people import read_labelled
    from ppg.inspection.notes import faults
    from ppgnas.errors import DataError
    from ppgnas.files import write_text_atomic

    lengths = listed("minutes", minutes, DataError, example="1,3,5", allowed="numbers", read=float)
    for length in lengths:
        check_minutes(length)
    chosen = listed("kind", kind, DataError, example="prior,low-rank", read=kind_of)
    file, folder = page_file(page, "personalize"), folder_for(out)
    found = [find_model(name) for name in models]
    progress = for_terminal()
    recordings, note = read_labelled(data, seed=0)
    for told in (*filter(None, [note]), *faults(recordings)):
        progress.say(told)
    with progress.phase("people") as tick:
        records = run_bench(
            found, recordings, folder, minutes=lengths, kinds=chosen, progress=tick
        )
    rows = rows_of(records)
    if file is not None:
        write_text_atomic(file, bench_page(records, rows, command_line()))
    if as_json:
        emit({"rows": [asdict(row) for row in rows], "people": len(records)})
        return
    print(bench_text(records, rows))
