"""The verb `data inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import AsJson


@verb
def inspect(
    folder: Annotated[str, typer.Argument(help="Folder of recordings, or synthetic.")],
    each: Annotated[bool, typer.Option("--each", help="A line for each recording.")] = False,
    as_json: AsJson = False,
) -> None:
    """People, rates, heart rates and how hard a folder is, and what looks wrong in it.

    Warns of railed or dead channels, acceleration that is not in g, labels that are shifted
    against the signal, and one person under two names.

    \b
    ppgnas data inspect recordings/
    ppgnas data inspect PPG_FieldStudy/ --each
    """
    from nas.cli.data.inspect_text import as_text
    from nas.run.people import read_source
    from ppg.inspection.inspection import inspect as look
    from ppg.loaders.registry import unread_beside

    recordings = read_source(folder, seed=0)
    found = look(recordings, unread=unread_beside(Path(folder)))
    if as_json:
        emit(found.to_json())
        return
    print(as_text(found, each=each))
