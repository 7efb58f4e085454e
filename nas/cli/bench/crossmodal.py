"""The verb `bench crossmodal`."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import command_line, emit, folder_for, goes_on, new_file, page_file, verb
from nas.cli.options import Text
from ppgnas.tables import text_table


@verb
def bench_crossmodal(
    data: options.Sources,
    preset: Annotated[
        str,
        typer.Option(help="brief (ten minutes of one core), small, full (wants a GPU), smoke."),
    ] = "small",
    method: Annotated[
        str, typer.Option(help="Of the PPG encoder: masked or contrast.")
    ] = "contrast",
    seed: options.PretrainSeed = 0,
    held_out_hours: options.HeldOut = 1.5,
    device: options.Device = "auto",
    out: Annotated[
        str, typer.Option(help="Folder of encoders and records; what is there is not done again.")
    ] = "results/crossmodal",
    page: options.Page = None,
    plot: Annotated[
        Text, typer.Option(help="Write both embeddings, coloured by person, to this HTML file.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """What acceleration learns from PPG: retrieval, linear probes, and encoders for a chip.

    \b
    ppgnas bench crossmodal --data recordings/ --data unlabelled/ --page crossmodal.md
    ppgnas bench crossmodal --data synthetic --preset smoke --held-out-hours 0.2
    """
    from dataclasses import asdict

    from nas.bench.crossmodal.cells import DISTILLED, SHARES, CrossmodalConfig
    from nas.bench.crossmodal.page import crossmodal_page, draw_places, places, summary_rows
    from nas.bench.crossmodal.run import bench_crossmodal as measure
    from nas.run.job.progress import for_terminal
    from ppgnas.files import write_text_atomic

    file, folder = page_file(page, "crossmodal"), folder_for(out)
    picture = None if plot is None else new_file(plot, option="plot", example="crossmodal.html")
    config = CrossmodalConfig(
        tuple(data),
        preset=preset,
        method=method,
        seed=seed,
        held_out_hours=held_out_hours,
        device=device,
    )
    with goes_on():
        found = measure(config, folder, progress=for_terminal())
    synthetic = found.corpus.shards.synthetic
    if file is not None:
        write_text_atomic(file, crossmodal_page(found, command_line()))
    if picture is not None:
        record = found.records[DISTILLED]
        drawn = draw_places(places(record), how=record.pictured, synthetic=synthetic)
        write_text_atomic(picture, drawn.to_html(include_plotlyjs=True))
    if as_json:
        records = [asdict(record) for record in found.records.values()]
        emit({"out": out, "held_out": list(found.corpus.held_out), "records": records})
        return
    head = (
        f"encoder{' (SYNTHETIC recordings)' if synthetic else ''}",
        "heart rate, BPM",
        f"from {100 * SHARES[-1]:g} % of labels",
        "retrieval, times chance",
    )
    print(text_table(head, summary_rows(found)))
