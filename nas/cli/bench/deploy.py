"""The verb `bench deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, new_file, verb
from nas.cli.options import Text
from ppgnas.tables import text_table


@verb
def bench_deploy(
    networks: Annotated[
        int, typer.Option(min=0, help="Random networks to try beside the hand-made ones.")
    ] = 20,
    run: Annotated[
        Text, typer.Option(help="Run whose finalists are tried too; needs --data.")
    ] = None,
    data: Annotated[Text, typer.Option(help="Recordings for the finalists.")] = None,
    cmsis_nn: Annotated[
        Text, typer.Option(help="Folder of CMSIS-NN's sources, to run the same networks in them.")
    ] = None,
    out: options.MarkdownOut = "results/reference/deploy.md",
    as_json: options.AsJson = False,
) -> None:
    """Do the files compute what was evaluated, and what do they cost? In emulation.

    \b
    ppgnas bench deploy
    ppgnas bench deploy --run results/run --data recordings/
    ppgnas bench deploy --networks 0 --cmsis-nn CMSIS-NN/
    """
    from dataclasses import asdict

    from nas.bench.deploy.page import COMMAND, markdown, summary
    from nas.bench.deploy.rows import finalist_rows, hand_made_rows, random_rows
    from nas.run.folder import RunDir
    from ppgnas.errors import RunError
    from ppgnas.files import write_text_atomic

    if (run is None) != (data is None):
        raise RunError(
            "`run` and `data` go together: the finalists of the run read windows of the recordings"
        )
    page = new_file(out, option="out", example="deploy.md")
    others = None if cmsis_nn is None else Path(cmsis_nn)
    command, trained = f"{COMMAND} --networks {networks}", []
    if run is not None and data is not None:  # first: a wrong name is told at once
        trained = finalist_rows(RunDir(Path(run)), data, cmsis_nn=others)
        command += f" --run {run} --data {data}"
    rows = [*hand_made_rows(cmsis_nn=others), *random_rows(networks, cmsis_nn=others), *trained]
    if cmsis_nn is not None:
        command += f" --cmsis-nn {cmsis_nn}"
    write_text_atomic(page, markdown(rows, command))
    if as_json:
        emit({"command": command, "networks": [asdict(row) for row in rows]})
        return
    print(text_table(("what", "goal", "here"), summary(rows)))
    print(f"\nNetwork by network: {out}")
