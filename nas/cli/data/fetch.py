"""The verb `data fetch`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nas.cli import options
from nas.cli.common import emit, folder_for, verb
from nas.cli.options import Text
from ppgnas.tables import counted


@verb
def fetch_data(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As in: ppgnas data list.")],
    out: Annotated[Text, typer.Option(help="Folder to write to; default data/NAME.")] = None,
    archive: Annotated[
        Text, typer.Option("--from", help="An archive that you have: nothing is downloaded.")
    ] = None,
    sha256: Annotated[
        Text, typer.Option(help="SHA-256 to expect instead of the published one.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Download a data set, check size and SHA-256, and unpack what is needed.

    A download that broke off goes on when the command is run again. The licence is shown first.

    \b
    ppgnas data fetch ppg_dalia --out data/ppg_dalia
    ppgnas data fetch bidmc --from bidmc-1.0.0.zip
    """
    from nas.run.job.progress import for_terminal
    from ppg.loaders.fetch import fetch
    from ppg.loaders.registry import data_set

    known = data_set(name)
    folder = folder_for(out or f"data/{name}")
    own = Path(archive) if archive else None
    files = fetch(known, folder, archive=own, sha256=sha256, say=for_terminal().say)
    if as_json:
        emit({"dataset": name, "folder": str(folder), "files": [str(file) for file in files]})
        return
    print(
        f"{counted(len(files), 'file')} in {folder}; look at them with: ppgnas data inspect "
        f"{shlex.quote(str(folder))}"
    )
