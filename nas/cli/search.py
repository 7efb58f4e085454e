"""The verb `search`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import options
from nas.cli.common import arithmetic_of, command_line, emit, verb
from nas.cli.options import Text
from ppgnas.parsing import printable, refuse_idle
from ppgnas.tables import counted, text_table

if TYPE_CHECKING:
    from nas.run.card import Card
    from nas.run.folder import RunDir


_NOT_ASKED = ("out", "resume", "worker", "log", "as_json")


@verb
def search(
    budget: Annotated[
        Text, typer.Option(help="Flash that readings may add, for example 80KB (1 KB = 1024 B).")
    ] = None,
    latency: Annotated[
        Text, typer.Option(help="Computing time of a reading, for example 50ms.")
    ] = None,
    sram: Annotated[Text, typer.Option(help="Memory while it runs, for example 256KB.")] = None,
    power: Annotated[
        Text, typer.Option(help="Average power, sleep and sensors included, for example 5mW.")
    ] = None,
    budget_scope: options.BudgetScope = None,
    data: Annotated[
        Text, typer.Option(help="Folder of recordings or of a data set, or synthetic (default).")
    ] = None,
    report_data: options.ReportData = None,
    report_from: options.ReportFrom = None,
    split: options.Split = None,
    space: Annotated[
        Text, typer.Option(help="default, tiny, wide, or a .toml file of your own.")
    ] = None,
    board: Annotated[
        Text,
        typer.Option(
            help="Name or .toml; default stm32h743. Of several with commas the budgets hold on "
            "each, and the first gives the costs. See: ppgnas boards list."
        ),
    ] = None,
    engine: Annotated[
        Text, typer.Option(help="Runtime; default ppgnas-c. See: ppgnas engines list.")
    ] = None,
    objectives: Annotated[
        Text,
        typer.Option(
            help="From mae,latency,flash,sram,power; default mae,latency,flash. power is the "
            "average; beside latency, and sleep that is the same for all, it has the sensors."
        ),
    ] = None,
    sampler: Annotated[
        Text,
        typer.Option(
            help="nsga2 (default), nsga3, tpe, gp, random, a class of Optuna such as "
            "QMCSampler, or optunahub:PACKAGE where that is installed. gp takes seconds a trial "
            "and is meant for some 150 trials, its default."
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(help="Architectures to consider; default 1500 (quick) or 3000 (standard)."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Decides everything that is drawn; default 0.")
    ] = None,
    finalists: Annotated[
        int | None, typer.Option(help="How many of the front to retrain at most; default 8.")
    ] = None,
    effort: Annotated[
        Text,
        typer.Option(
            help="Training time: smoke (tries the path), quick (default on synthetic data), "
            "standard (default on recordings) or thorough (a night)."
        ),
    ] = None,
    time: Annotated[
        Text,
        typer.Option(
            help="Time for the whole search, for example 10min, instead of an effort: it ends in "
            "time, with what could be trained in it."
        ),
    ] = None,
    teacher: Annotated[Text, typer.Option(help=f"Default auto; none, {options.TEACHERS}")] = None,
    distill: options.Distill = None,
    unlabelled: options.Unlabelled = None,
    channels: options.Channels = None,
    recipe: Annotated[
        Text,
        typer.Option(
            help=f"Stages of a finalist's training; default direct. {options.RECIPE_HELP}"
        ),
    ] = None,
    supernet: Annotated[
        bool | None,
        typer.Option(
            "--supernet/--no-supernet",
            help="Train one set of weights for all networks first, from which each begins; by "
            "default they begin with random ones, which was measured to be better.",
        ),
    ] = None,
    mode: Annotated[Text, typer.Option(help=f"Default window. {options.MODE_HELP}")] = None,
    window: Annotated[
        Text,
        typer.Option(
            help=f"{options.WINDOW_HELP}; several to choose among: 6s,8s. Default 8s. "
            "See docs/windows.md."
        ),
    ] = None,
    stride: options.Stride = None,
    bpm: options.Bpm = None,
    student_inputs: options.StudentInputs = None,
    teacher_inputs: options.TeacherInputs = None,
    rate: options.Rate = None,
    ppg_hz: options.PpgHz = None,
    acc_hz: options.AccHz = None,
    ppg_channels: options.PpgChannels = None,
    smoothing: options.PathSmoothing = None,
    ppg_sensor: options.PpgSensor = None,
    accelerometer: options.Accelerometer = None,
    device: options.Device = "auto",
    dask: Annotated[
        Text,
        typer.Option(
            metavar="ADDRESS",
            help="Train networks side by side on a cluster of dask.distributed: tcp://HOST:8786, "
            "or local; see docs/cluster.md.",
        ),
    ] = None,
    storage: Annotated[
        Text,
        typer.Option(
            metavar="URL",
            help="Train networks together with other machines, by a database: "
            "postgresql+psycopg://USER@HOST/DATABASE; see docs/cluster.md.",
        ),
    ] = None,
    worker: Annotated[
        bool,
        typer.Option(
            "--worker",
            help="Take part in the search of --out that another process leads, by its --storage.",
        ),
    ] = False,
    log: Annotated[
        Text,
        typer.Option(
            metavar="tensorboard",
            help="Show the course of each training, which metrics/ holds as CSV, in TensorBoard: "
            "tensorboard --logdir RUN/tensorboard.",
        ),
    ] = None,
    out: Annotated[
        Text,
        typer.Option(help="Run directory; default results/run, or the next free results/run-N."),
    ] = None,
    config: Annotated[
        Text,
        typer.Option(
            help="run.toml of another search, or its folder: options left out are taken from it."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run; options left out are taken from it.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Search networks that fit the budgets, retrain the best and report on them.

    \b
    ppgnas search --budget 80KB
    ppgnas search --budget 80KB --time 10min
    ppgnas search --budget 80KB --latency 20ms --board nrf5340 --data recordings/
    ppgnas search --budget 80KB --latency 20ms --board nrf5340,stm32u585
    ppgnas search --budget 80KB --data recordings/ --student-inputs ppg --teacher-inputs ppg+acc
    ppgnas search --config results/run --seed 1
    ppgnas search --out results/run --resume
    ppgnas search --out /shared/run --storage postgresql+psycopg://ppg@db/ppg --worker
    """
    # All options but five are arguments of the search, by the same names.
    given = {name: value for name, value in locals().items() if name not in _NOT_ASKED}
    from nas import search as searching
    from nas.api.run import Run
    from nas.explore.shared import hidden
    from nas.run.claim import asked_search
    from nas.run.folder import DEFAULT_OUT
    from nas.run.job.progress import for_terminal

    progress = for_terminal()
    if worker:
        refuse_idle("the search that leads tells of all", log=log, as_json=as_json)
    there = Path(out) if out is not None else None
    asked, run = asked_search(given, there, resume=resume or worker)
    if worker:
        from nas.worker import work

        work(asked, run, progress=progress)
        return
    if out is None and run.path != DEFAULT_OUT and not resume:
        progress.say(f"{DEFAULT_OUT} holds a finished run; writing to {run.path}")
    command = hidden(command_line())
    try:
        searching.search(asked, run, command=command, progress=progress, log=log)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"Continue with: ppgnas search --out {shlex.quote(str(run.path))} --resume"
            if run.exists
            else "Nothing was written."
        ) from None
    if as_json:
        emit(Run(run).to_json())
    else:
        print(printable(as_text(run)))


def as_text(run: RunDir) -> str:
    """The same for people."""
    from nas.report.boards import boards_of, markdown_boards
    from nas.report.choice import choose, floor_words
    from nas.report.loading import load_run
    from nas.report.order import order_of
    from nas.report.sections.verdict import cautions_of
    from nas.run.units import format_bytes, format_duration

    whole = load_run(run.path)
    document, candidates = whole.document, whole.search or run.candidates()
    rows = [
        (
            f"{run.path}:{number}",
            *_errors(card),
            format_bytes(card.weight_bytes),
            format_bytes(card.costs.flash_bytes.value),
            format_bytes(card.costs.sram_bytes.value),
            f"{card.costs.latency_ms.value:.2f}",
            f"{card.costs.energy_mj.value:.3g}",
            _path(card),
        )
        for number, card in _cards(run)
    ]
    order = order_of(dict(_cards(run)))
    choice = choose(whole)
    told = [floor_words(whole), order.sentence if order else ""]
    if choice is not None:
        told += [f"Recommended: {run.path}:{choice.finalist.number}", *choice.sentences]
    told += [f"Caution: {caution}" for caution in cautions_of(whole)]
    if boards := boards_of(run):
        told.append(f"\n{markdown_boards(boards)}")
    said = "".join(f"{sentence}\n" for sentence in told if sentence)
    count = candidates.begun
    begun = f"{count} trained briefly, to foretell the rest; " if count else ""
    errors = ("file", "MAE BPM", "smoothed", "other files", "search people")
    header = ("model", *errors, "weights", "flash", "SRAM", "ms", "mJ a reading", "path")
    return (
        f"\n{counted(candidates.considered, 'network')} considered, {candidates.evaluated:,} of "
        f"them fit; {begun}{counted(len(rows), 'finalist')}, in "
        f"{format_duration(document.time_s.get('total', 0.0))}.\n"
        "MAE of report people, and of search people, who chose; errors and costs of a row are "
        f"those of its file, {arithmetic_of(document.config.mode)}"
        f"{' (SYNTHETIC recordings)' if document.synthetic else ''}:\n\n"
        f"{text_table(header, rows)}\n\n{said}\nReport: {run.report}"
    )


def _errors(card: Card) -> tuple[str, ...]:
    """File, its errors, those of the other ones, and its error on search people."""
    (file, (raw, smoothed)), *others = card.report_mae_bpm.items()
    told = [f"{mae:.2f} {name}" for name, (mae, _) in others]
    if card.onnx is not None:
        of_windows = " (windows)" if card.mode == "streaming" else ""
        told.append(f"{card.onnx.report.mae_bpm_onnx:.2f} model.onnx{of_windows}")
    other = ", ".join(told)
    chose = card.search_mae_bpm.retrained_int8
    return file, f"{raw:.2f}", f"{smoothed:.2f}", other, f"{chose:.2f}"


def _path(card: Card) -> str:
    """What of these costs stands around the network."""
    path = card.costs.path
    if path is None:
        return "not counted"
    from nas.run.units import format_bytes

    size, own = format_bytes(path.flash_bytes.value), format_bytes(path.sram_bytes)
    words = f"{size}, {own}, {path.latency_ms.value:.2f} ms, {path.energy_mj.value:.2g} mJ"
    return words if path.counted else f"not counted: {words}"


def _cards(run: RunDir) -> list[tuple[int, Card]]:
    return [(number, run.card(number)) for number in run.finalists()]
