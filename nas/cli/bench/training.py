"""The verb `bench training`."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import AsJson
from ppgnas.tables import text_table


@verb
def bench_training(
    steps: Annotated[int, typer.Option(min=10, help="Of each network, each time.")] = 120,
    as_json: AsJson = False,
) -> None:
    """Steps a second of finalists and fixed networks, idle and beside a busy process.

    The fixed networks stand beside themselves in plain torch, on one core.

    \b
    ppgnas bench training
    ppgnas bench training --steps 100 --json
    """
    from nas.bench.training import bench_training as measure
    from nas.bench.training import times_plain

    found = measure(steps=steps)
    times = times_plain(found)
    if as_json:
        rows = [row.to_json() for row in found]
        emit({"steps": steps, "trainings": rows, "times_plain_torch": times})
        return
    table = [
        (f"{row.what}, {row.how}", f"{row.idle:.1f}", f"{row.busy:.1f}", f"{row.kept:.0%}")
        for row in found
    ]
    print(text_table(("steps a second", "idle", "one busy neighbour", "kept"), table))
    print("times plain torch: " + ", ".join(f"{name} {x:.1f}" for name, x in times.items()))
