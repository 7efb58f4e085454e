"""The verb `bench ranking`."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import command_line, emit, folder_for, goes_on, page_file, verb
from ppgnas.tables import text_table


@verb
def bench_ranking(
    data: options.Data,
    report_data: options.ReportData = None,
    report_from: options.ReportFrom = None,
    split: options.Split = None,
    networks: Annotated[
        int, typer.Option(help="How many to train alone; six pairs are among them.")
    ] = 52,
    effort: options.Effort = "quick",
    seed: Annotated[int, typer.Option(help="Of networks and split.")] = 0,
    space: options.Space = "default",
    budget: Annotated[str, typer.Option(help="Flash that each network may take.")] = "80KB",
    device: options.Device = "auto",
    out: Annotated[
        str, typer.Option(help="Folder of the records; networks in it are not trained again.")
    ] = "results/ranking",
    page: options.Page = None,
    as_json: options.AsJson = False,
) -> None:
    """How well cheap figures order networks that were trained alone; goes on where it stopped.

    \b
    ppgnas bench ranking --data recordings/
    ppgnas bench ranking --data recordings/ --report-from mine --page ranking.md
    ppgnas bench ranking --data synthetic --networks 16 --effort smoke --space tiny --json
    """
    from dataclasses import asdict

    from nas.bench.ranking.figures import WHO, ranking_figures, scores_of, search_orders
    from nas.bench.ranking.page import ranking_page
    from nas.bench.ranking.run import bench_ranking as measure
    from nas.run.folder import RunDir
    from nas.run.job.progress import for_terminal
    from nas.run.resolve import resolve
    from ppgnas.files import write_text_atomic

    file, folder = page_file(page, "ranking"), folder_for(out)
    asked = {
        **{"data": data, "report_data": report_data, "report_from": report_from, "split": split},
        **{"effort": effort, "seed": seed, "space": space, "budget": budget, "device": device},
    }
    with goes_on():
        ranking = measure(
            resolve(asked),
            RunDir(folder),
            networks=networks,
            command=command_line(),
            progress=for_terminal(),
        )
    scores = {**scores_of(ranking.records), **search_orders(ranking.records)}
    found = ranking_figures(ranking.records, ranking.pairs, scores)
    if file is not None:
        write_text_atomic(file, ranking_page(ranking, found))
    if as_json:
        plain = [asdict(record) for record in ranking.records]
        pairs = [asdict(pair) for pair in ranking.pairs]
        emit({"out": out, "page": page, **asdict(found), "pairs": pairs, "networks": plain})
        return
    synthetic = " (SYNTHETIC recordings)" if ranking.document.synthetic else ""
    print(
        f"{len(ranking.records)} networks trained alone{synthetic}; Kendall's tau-b to their "
        "errors with 90 % intervals; halves by MACs and regret are on search people:\n"
    )
    head = ("score", *(f"{who} people" for who in WHO), "small half", "large half", "regret")
    rows = [
        (
            name,
            *(by[who].overall.tau for who in WHO),
            *(f"{half.tau.value:.2f}" for half in (by["search"].small, by["search"].large)),
            f"{by['search'].overall.regret_bpm.value:.2f} BPM",
        )
        for name, by in found.scores.items()
    ]
    ceiling = [
        (f"ceiling: {name}", *(by[who].tau for who in WHO), "", "", "")
        for name, by in found.ceiling.items()
    ]
    print(text_table(head, [*rows, *ceiling]))
