"""The verb `bench deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import AsJson, MarkdownOut, Text
from ppgnas.tables import text_table


@verb
def bench_deploy(
    networks: Annotated[
        int, typer.Option(min=1, help="Random networks to try beside the hand-made ones.")
    ] = 20,
    run: Annotated[
        Text, typer.Option(help="Run whose finalists are tried too; needs --data.")
    ] = None,
    data: Annotated[Text, typer.Option(help="Recordings for the finalists.")] = None,
    out: MarkdownOut = "results/reference/deploy.md",
    as_json: AsJson = False,
) -> None:
    """Do the files compute what was evaluated, and what do they cost? In emulation.

    \b
    ppgnas bench deploy
    ppgnas bench deploy --run results/run --data recordings/
    """
    from dataclasses import asdict

    from nas.bench.deploy import (
        COMMAND,
        finalist_rows,
        hand_made_rows,
        markdown,
        random_rows,
        summary,
    )
    from nas.run.folder import RunDir
    from ppgnas.errors import RunError
    from ppgnas.files import write_text_atomic

    if (run is None) != (data is None):
        raise RunError(
            "`run` and `data` go together: the finalists of the run read windows of the recordings"
        )
    rows = [*hand_made_rows(), *random_rows(networks)]
    command = f"{COMMAND} --networks {networks}"
    if run is not None and data is not None:
        rows += finalist_rows(RunDir(Path(run)), data)
        command += f" --run {run} --data {data}"
    write_text_atomic(Path(out), markdown(rows, command))
    if as_json:
        emit({"command": command, "networks": [asdict(row) for row in rows]})
        return
    print(text_table(("what", "goal", "here"), summary(rows)))
    print(f"\nNetwork by network: {out}")
