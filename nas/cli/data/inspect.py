"""The verb `data inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli import options
from nas.cli.common import emit, print_notes, verb
from nas.cli.data.options import reads_a_file
from ppgnas.parsing import refuse_idle


@verb
@reads_a_file
def inspect(
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER", help="Folder of recordings, a file of any form, or synthetic."
        ),
    ],
    each: Annotated[bool, typer.Option("--each", help="A line for each recording.")] = False,
    channels: options.Channels = None,
    as_json: options.AsJson = False,
    *,
    given: dict[str, Any],
) -> None:
    """People, rates, heart rates and how hard a folder is, and what looks wrong in it.

    Warns of railed, dead, inverted or noisy channels, gaps, acceleration that is not in g, labels
    that are shifted against the signal, and one person under two names.

    \b
    ppgnas data inspect recordings/
    ppgnas data inspect PPG_FieldStudy/ --each
    ppgnas data inspect recordings/ --channels 1,-3
    """
    if as_json:
        refuse_idle("--json lists each recording", each=each)
    from nas.cli.data.inspect_text import as_text
    from nas.run.people import read_source
    from ppg.inspection.inspection import inspect as look
    from ppg.loaders.registry import unread_beside
    from ppg.recording import channels_of, with_channels

    if channels is not None:
        channels_of(channels)  # before recordings are read or made
    notes: list[str] = []
    recordings = read_source(folder, seed=0, options=given, say=notes.append)
    print_notes(notes)
    found = look(with_channels(recordings, channels), unread=unread_beside(Path(folder)))
    if as_json:
        emit(found.to_json())
        return
    print(as_text(found, each=each))
