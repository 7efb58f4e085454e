"""The verb `bench training`."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import AsJson
from ppgnas.tables import text_table


@verb
def bench_training(
    steps: Annotated[int, typer.Option(min=10, help="Of each measurement.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Steps a second of supernet and finalists, idle and beside one busy process.

    \b
    ppgnas bench training
    ppgnas bench training --steps 300 --json
    """
    from nas.bench.training import bench_training as measure

    found = measure(steps=steps)
    if as_json:
        emit({"steps": steps, "trainings": [row.to_json() for row in found]})
        return
    rows = [
        (f"{row.what} by {row.how}", f"{row.idle:.1f}", f"{row.busy:.1f}", f"{row.kept:.0%}")
        for row in found
    ]
    print(text_table(("steps a second", "idle", "one busy neighbour", "kept"), rows))
