"""The verbs of benches that are tables of cells, such as `bench strategies`: one for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import options
from nas.cli.common import command_line, emit, folder_for, goes_on, page_file, seeds_of, verb
from nas.cli.options import Text
from ppgnas.errors import RunError

if TYPE_CHECKING:
    from nas.bench.distillation.tables import BenchConfig


def cell_verb(bench: str, help_text: str) -> Callable[..., None]:
    """The verb of a bench; its help is `help_text` and an example."""

    def run(
        data: options.Data,
        report_data: options.ReportData = None,
        report_from: options.ReportFrom = None,
        split: options.Split = None,
        preset: Annotated[
            str, typer.Option(help="small (under an hour on two cores) or full.")
        ] = "small",
        minutes: Annotated[
            float | None, typer.Option(help="Of one core for a training; default: of the preset.")
        ] = None,
        seeds: Annotated[str, typer.Option(help="Of the trainings.")] = "0,1,2",
        jobs: Annotated[int, typer.Option(help="Trainings side by side.")] = 1,
        teacher: Annotated[
            str, typer.Option(help="Where the bench compares no teachers: name or path.")
        ] = "auto",
        distill: Annotated[
            str, typer.Option(help="Where the bench compares no mixes: a mix of losses.")
        ] = "auto",
        unlabelled: options.Unlabelled = None,
        effort: Annotated[
            Text, typer.Option(help="Of the teacher: quick (small preset), standard (full), ...")
        ] = None,
        out: Annotated[
            Text, typer.Option(help="Folder; what is in it is not trained again.")
        ] = None,
        page: options.Page = None,
        as_json: options.AsJson = False,
    ) -> None:
        from nas.bench.distillation.tables import BENCHES, PRESET_EFFORT, PRESETS, BenchConfig
        from nas.run.config import check_choice

        numbers = seeds_of(seeds)
        if jobs < 1:
            raise RunError(f"`jobs` is {jobs}; it must be at least 1")
        file = page_file(page, bench)
        size = check_choice("preset", preset, PRESETS)
        config = BenchConfig(
            bench=bench,
            preset=size,
            minutes=BENCHES[bench].minutes[size] if minutes is None else minutes,
            effort=effort or PRESET_EFFORT[size],
            data=data,
            report_data=report_data,
            report_from=report_from,
            split=split,
            teacher=teacher,
            distill=distill,
            unlabelled=unlabelled,
        )
        _run(config, folder_for(out or f"results/{bench}"), numbers, jobs, file, as_json=as_json)

    run.__doc__ = (
        f"{help_text} Goes on where it stopped.\n\n\b\n"
        f"ppgnas bench {bench} --data recordings/ --jobs 2 --page {bench}.md\n"
        f"ppgnas bench {bench} --data recordings/ --preset full --seeds 0,1,2,3,4 --minutes 5\n"
    )
    return verb(run)


def _run(
    config: BenchConfig,
    out: Path,
    seeds: tuple[int, ...],
    jobs: int,
    page: Path | None,
    *,
    as_json: bool,
) -> None:
    from dataclasses import asdict

    from nas.bench.distillation.figures import bench_figures
    from nas.bench.distillation.laws import fitted_laws
    from nas.bench.distillation.page import bars, bench_page, bench_text, draw_bars, draw_sizes
    from nas.bench.distillation.run import run_bench
    from nas.bench.distillation.worker import Processes
    from nas.run.job.progress import for_terminal
    from ppgnas.files import write_text_atomic

    with goes_on():
        finished = run_bench(
            config,
            out,
            seeds=seeds,
            worker=Processes(jobs),
            command=command_line(),
            progress=for_terminal(),
        )
    found = bench_figures(finished)
    fitted = fitted_laws(finished) if config.table.scaling else None
    if page is not None:
        plot = page.with_suffix(".html")
        write_text_atomic(page, bench_page(finished, found, fitted, plot.name))
        if fitted is None:
            drawn = draw_bars(bars(found), synthetic=found.synthetic)
        else:
            drawn = draw_sizes(fitted, synthetic=found.synthetic)
        write_text_atomic(plot, drawn.to_html())
    if as_json:
        emit({**asdict(found), "laws": None if fitted is None else asdict(fitted)})
        return
    print(bench_text(found))


CELL_BENCHES = {
    "distillation": "What a teacher, a smaller network and integers do, step by step.",
    "strategies": "Losses of distillation against labels alone, in equal minutes.",
    "scaling": "Error against parameters with and without a teacher, and laws of it.",
    "quantisation": "Float networks against rounded ones, and against training for integers.",
    "stages": "An assistant and a second generation against one direct training.",
    "pruning": "A network pruned to three tenths against itself, and against one drawn as small.",
    "teachers": "Teachers alone and together, with and without their temperature.",
    "unlabelled": "Whether windows that the teacher alone labels help.",
    "sensors": "Whether a teacher that sees the movement helps a network that reads PPG alone.",
    "labels": "Whether a teacher helps more where few people have a reference.",
}
CELL_VERBS = {name: cell_verb(name, text) for name, text in CELL_BENCHES.items()}
