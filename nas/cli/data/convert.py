"""The verb `data convert`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli import options
from nas.cli.common import emit, folder_for, print_notes, verb
from nas.cli.data.options import reads_a_file
from ppgnas.tables import counted


@verb
@reads_a_file
def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Folder of a data set or with a recordings.toml, or a file of any form.",
        ),
    ],
    out: Annotated[
        str | None, typer.Argument(metavar="OUT", help="Folder to write .npz recordings to.")
    ] = None,
    guess: Annotated[
        bool,
        typer.Option(
            "--guess",
            help="Write how the files of the folder look to be meant to its recordings.toml, for "
            "you to check, and convert nothing.",
        ),
    ] = False,
    channels: options.Channels = None,
    as_json: options.AsJson = False,
    *,
    given: dict[str, Any],
) -> None:
    """Write a data set, or recordings of your own, as .npz recordings.

    \b
    ppgnas data convert PPG_FieldStudy/ recordings/ppg_dalia
    ppgnas data convert BAMI/ recordings/bami --lag 0
    ppgnas data convert recordings/ chosen/ --channels 1,-3
    ppgnas data convert recordings/ right/ --lag -0.7 --drift 1215
    ppgnas data convert anna.csv recordings/own --subject anna
    ppgnas data convert anna.csv recordings/own --ppg-column adc1 --time-column t --hr-column hr
    ppgnas data convert bare.csv recordings/own --columns t,green,ax,ay,az,hr
    ppgnas data convert e4_session/ recordings/own --hr-csv polar_RR.txt
    ppgnas data convert study/ --guess
    """
    from nas.run.people import read_source
    from ppg.loaders.forms import is_own
    from ppg.npz.folder import write_folder
    from ppg.recording import with_channels, with_reference
    from ppgnas.errors import DataError

    path = Path(source)
    if guess:
        beside = [f"`{name}`" for name in given] + ["`channels`"] * (channels is not None)
        if out is not None or beside:
            raise DataError(
                f"{', '.join(['OUT'] * (out is not None) + beside)} given beside `guess`, which "
                "converts nothing; leave out, and write in recordings.toml what holds for its "
                "files."
            )
        write_guess(path, as_json=as_json)
        return
    if out is None:
        raise DataError("OUT is not given; name the folder to write .npz recordings to.")
    if path.is_dir() and not is_own(path):
        if path.resolve() in (Path(out).resolve(), *Path(out).resolve().parents):
            raise DataError(
                f"{out} lies in {path}, where the copies would stand for the originals from then "
                "on; name a folder outside of it."
            )
    folder = folder_for(out)
    notes: list[str] = []
    recordings = read_source(source, seed=0, options=given, say=notes.append)
    recordings = with_channels(recordings, channels)
    files = write_folder(folder, recordings)
    print_notes(notes)
    if as_json:
        emit({"folder": out, "files": [str(file) for file in files], "notes": notes})
        return
    if not any(len(recording.hr_bpm) for recording in recordings):
        count = "1 recording" if len(files) == 1 else f"{len(files)} recordings, each"
        file = shlex.quote(str(files[0]))
        print(f"{count} without a reference; read it with: ppgnas predict MODEL {file}")
        return
    lost = with_reference(recordings)[1]
    if lost:
        print_notes([f"{out}: {lost}."])
    look = f"ppgnas data inspect {shlex.quote(out)}"
    print(f"{counted(len(files), 'recording')} in {out}; inspect with: {look}")


def write_guess(folder: Path, *, as_json: bool) -> None:
    """Write `recordings.toml` of a folder of files, for a hand to check.

    Raises:
        DataError: it is no folder, has a mapping file already, or no file with a PPG.
    """
    from ppg.loaders.forms import guess_mapping
    from ppg.loaders.own.mapping import MAPPING
    from ppgnas.errors import DataError
    from ppgnas.files import write_text_atomic

    file = folder / MAPPING
    if not folder.is_dir():
        raise DataError(f"{folder}: no folder; `guess` looks through the files of a folder.")
    if file.exists():
        raise DataError(f"{file} is there already; convert with it, or take it away first.")
    notes: list[str] = []
    text, count = guess_mapping(folder, say=notes.append)
    write_text_atomic(file, text)
    print_notes(notes)
    if as_json:
        emit({"file": str(file), "recordings": count, "notes": notes})
        return
    print(
        f"{counted(count, 'recording')} in {file}; check who is who and what is read, then: "
        f"ppgnas data convert {shlex.quote(str(folder))} OUT"
    )
