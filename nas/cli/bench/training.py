"""The verb `bench training`."""

from __future__ import annotations

from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, verb
from ppgnas.tables import text_table


@verb
def bench_training(
    steps: Annotated[int, typer.Option(min=10, help="Of the supernet, each time.")] = 30,
    as_json: options.AsJson = False,
) -> None:
    """Steps a second of supernet, finalists and fixed networks, idle and beside a busy process.

    Finalists, one a core, stand beside one process whose threads spin; the fixed networks beside
    themselves in plain torch, on one core.

    \b
    ppgnas bench training
    ppgnas bench training --steps 100 --json
    """
    from nas.bench.training import bench_training as measure
    from nas.bench.training import idle_times

    found = measure(steps=steps)
    times = {
        "plain torch": idle_times(found, "one core", "plain torch"),
        "spinning threads": idle_times(found, "processes", "threads"),
    }
    if as_json:
        rows = [row.to_json() for row in found]
        keys = {f"times_{name.replace(' ', '_')}": each for name, each in times.items()}
        emit({"steps": steps, "trainings": rows, **keys})
        return
    table = [
        (f"{row.what}, {row.how}", f"{row.idle:.1f}", f"{row.busy:.1f}", f"{row.kept:.0%}")
        for row in found
    ]
    print(text_table(("steps a second", "idle", "one busy neighbour", "kept"), table))
    for name, each in times.items():
        print(f"times {name}, idle: " + ", ".join(f"{what} {x:.2f}" for what, x in each.items()))
