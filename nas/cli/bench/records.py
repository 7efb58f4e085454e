"""The verb `bench records`."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, folder_for, goes_on, page_file, verb
from nas.cli.options import Text
from ppgnas.parsing import listed, refuse_idle
from ppgnas.tables import text_table

SEEDS = 5
NETWORK_HELP = (
    "What to run, comma-separated: timeppg-small, kd-pulse-student, mobilenet-1d, tiny, small, "
    "medium, large (these four also with -ppg: no acceleration), an arch.json, RUN:ID, or "
    "baseline:NAME with NAME spectral-peak, spectral-motion or wiener (these three also with "
    "-slope: of the input of networks) or peaks."
)


@verb
def records(
    protocol: Annotated[
        str,
        typer.Argument(
            metavar="PROTOCOL",
            help="loso, kfold, transfer, dalia-groups, bami1-bami2 or spc-train-test.",
        ),
    ],
    data: options.Data,
    network: Annotated[str, typer.Option(help=NETWORK_HELP)] = "medium",
    tested: Annotated[
        Text,
        typer.Option(
            "--dataset", help="Data sets that loso, kfold or transfer tests; default: all."
        ),
    ] = None,
    train: Annotated[
        Text,
        typer.Option(
            "--train-dataset",
            help="Data sets that loso and kfold train on as well, or transfer alone.",
        ),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Groups of people of kfold; default: 5.")
    ] = None,
    clock: Annotated[
        str,
        typer.Option(
            "--label-clock",
            help="corrected (with hr_lag_s) or published (lag 0, as published results).",
        ),
    ] = "corrected",
    seeds: Annotated[
        int | None,
        typer.Option(help="How many trainings of each fold: seeds 0, 1, ...; default 5."),
    ] = None,
    effort: Annotated[Text, typer.Option(help=f"{options.EFFORT_HELP} Default standard.")] = None,
    teacher: Annotated[Text, typer.Option(help=f"Default none; {options.TEACHERS}")] = None,
    jobs: Annotated[int, typer.Option(help="Folds side by side, each in its own process.")] = 1,
    out: Annotated[
        str, typer.Option(help="Folder of the results; finished folds in it are not run again.")
    ] = "results/records",
    page: Annotated[
        Text, typer.Option(help="Write a Markdown page of everything in --out to this file.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Train and test fixed networks by the protocols of the literature; goes on where it stopped.

    \b
    ppgnas bench records bami1-bami2 --data recordings/ --network medium,timeppg-small --jobs 2
    ppgnas bench records loso --data recordings/ --dataset ieee_spc2015 --network baseline:wiener
    ppgnas bench records kfold --data recordings/ --dataset bami2,mine --train-dataset bami1
    ppgnas bench records transfer --data recordings/ --dataset mine --train-dataset bami1,bami2
    """
    from nas.bench.records.jobs import BASELINE_PREFIX, RecordsConfig, plan_jobs
    from nas.bench.records.record import read_record
    from nas.bench.records.run import run_jobs
    from nas.bench.records.table import COLUMNS, gather_records, markdown, summarise, whole_seeds
    from nas.run.job.progress import for_terminal
    from ppg.people.protocols import FOLDS
    from ppgnas.errors import DataError
    from ppgnas.files import write_text_atomic

    file, folder = page_file(page, "records"), folder_for(out)
    if folds is not None and protocol != "kfold":
        raise DataError(f"`folds` is for kfold, and the protocol is {protocol}; leave it out")
    names = listed("network", network, DataError, example="medium,timeppg-small")
    if all(name.startswith(BASELINE_PREFIX) for name in names):
        refuse_idle("baselines are not trained", seeds=seeds, effort=effort, teacher=teacher)
    seeds = SEEDS if seeds is None else seeds
    if seeds < 1 or jobs < 1:
        raise DataError(f"`seeds` is {seeds} and `jobs` {jobs}; both must be at least 1")

    def datasets(option: str, text: str | None) -> tuple[str, ...]:
        return listed(option, text, DataError, example="bami1,bami2") if text else ()

    progress, planned = for_terminal(), []
    tests, trains = map(datasets, ("tested", "train"), (tested, train))
    for name in names:
        config = RecordsConfig(
            protocol=protocol,
            data=data,
            network=name,
            tested=tests,
            folds=FOLDS if folds is None else folds,
            clock=clock,
            seeds=tuple(range(seeds)),
            effort=effort or "standard",
            teacher=teacher or "none",
            train=trains,
        )
        planned += plan_jobs(config, folder, progress.say)
    with goes_on(), progress.phase("folds") as tick:
        run_jobs(planned, parallel=jobs, progress=tick)
    if file is not None:
        whole, left_out = whole_seeds(gather_records(folder))
        write_text_atomic(file, markdown(summarise(whole), data=data, left_out=left_out))
    entries = summarise([read_record(job.out) for job in planned])
    if as_json:
        emit({"out": out, "page": page, "records": [entry.to_json() for entry in entries]})
        return
    rows = []
    for entry in entries:
        worst, row = next(iter(entry.people.items()))
        found = [entry.figures.get(column) for column in COLUMNS]
        cells = ["-" if figure is None else figure.with_deviation for figure in found]
        people = (len(entry.people), f"{worst} {row['raw']:.1f}")
        rows.append((entry.setting.network, entry.dataset, *cells, *people))
    synthetic = " (SYNTHETIC recordings)" if any(entry.synthetic for entry in entries) else ""
    print(f"{planned[0].identity.protocol}, {clock} clock, MAE in BPM{synthetic}\n")
    print(text_table(("network", "tested", *COLUMNS, "people", "worst person"), rows))
