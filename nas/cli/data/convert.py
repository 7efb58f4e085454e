"""The verb `data convert`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.common import emit, names_of, print_notes, verb
from nas.cli.data.guess import write_guess
from nas.cli.options import AsJson, Channels, Text

SHARED = ("source", "out", "guess", "lag_s", "drift_ppm", "channels", "as_json")


@verb
def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Folder of a data set or with a recordings.toml, or a file of any form.",
        ),
    ],
    out: Annotated[
        str | None,
        typer.Argument(metavar="OUT", help="Folder to write .npz recordings to."),
    ] = None,
    guess: Annotated[
        bool,
        typer.Option(
            "--guess",
            help="Write how the files of the folder look to be meant to its recordings.toml, for "
            "you to check, and convert nothing.",
        ),
    ] = False,
    lag_s: Annotated[
        float | None,
        typer.Option(
            "--lag", help="Seconds to add to the clock of the labels; default: as documented."
        ),
    ] = None,
    drift_ppm: Annotated[
        float,
        typer.Option(
            "--drift",
            help="Millionths by which the clock of the labels must run faster, as data inspect "
            "says; with --lag.",
        ),
    ] = 0.0,
    ppg: Annotated[
        Text,
        typer.Option(
            "--ppg-column",
            help="Column of the PPG; several with commas. Left out, columns are guessed by name.",
        ),
    ] = None,
    acc: Annotated[
        Text,
        typer.Option(
            "--acc-columns", help="Three columns with commas; leave out if there is none."
        ),
    ] = None,
    hr: Annotated[
        Text,
        typer.Option(
            "--hr-column",
            help="Column of the reference heart rate in BPM; without a reference the recording "
            "can be predicted alone.",
        ),
    ] = None,
    rr: Annotated[
        Text,
        typer.Option("--rr-column", help="Instead of it: intervals from beat to beat, s or ms."),
    ] = None,
    ecg: Annotated[
        Text, typer.Option("--ecg-column", help="Instead of it: an electrocardiogram.")
    ] = None,
    time: Annotated[
        Text,
        typer.Option(
            "--time-column", help="Column of the time, numbers or dates; it gives the rates."
        ),
    ] = None,
    time_unit: Annotated[
        Text, typer.Option(help="s, ms, us, ns or min, of all time columns; default: as found.")
    ] = None,
    activity: Annotated[
        Text, typer.Option("--activity-column", help="Column that says what the person does.")
    ] = None,
    subject_column: Annotated[
        Text, typer.Option("--subject-column", help="Column of people: a recording for each.")
    ] = None,
    rate_hz: Annotated[
        float | None,
        typer.Option("--rate", help="Rows a second where there is no time column."),
    ] = None,
    acc_file: Annotated[
        Text,
        typer.Option("--acc-csv", help="File of the acceleration if it has its own."),
    ] = None,
    acc_rate_hz: Annotated[
        float | None,
        typer.Option("--acc-rate", help="Its rows a second, without a time column."),
    ] = None,
    acc_per_g: Annotated[
        float | None,
        typer.Option(
            help="Values per g; 9.80665 for m/s2, 64 for counts of 1/64 g; default: as found."
        ),
    ] = None,
    hr_file: Annotated[
        Text,
        typer.Option("--hr-csv", help="File of the reference, of any form, if it has its own."),
    ] = None,
    hr_time: Annotated[
        Text,
        typer.Option("--hr-time-column", help="Its column of the time; default: --time-column."),
    ] = None,
    hr_rate_hz: Annotated[
        float | None,
        typer.Option("--hr-rate", help="Its rows a second, without a time column."),
    ] = None,
    hr_is: Annotated[
        Text,
        typer.Option(
            help="instant (the default: a rate at a time, averaged over 8 s) or window (the "
            "mean of the 8 s from a time)."
        ),
    ] = None,
    subject: Annotated[Text, typer.Option(help="Who; default: the file's name.")] = None,
    dataset: Annotated[Text, typer.Option(help="Name of your data set; default: own.")] = None,
    channels: Channels = None,
    as_json: AsJson = False,
) -> None:
    """Write a data set, or recordings of your own, as .npz recordings.

    \b
    ppgnas data convert PPG_FieldStudy/ recordings/ppg_dalia
    ppgnas data convert BAMI/ recordings/bami --lag 0
    ppgnas data convert recordings/ chosen/ --channels 1,-3
    ppgnas data convert recordings/ right/ --lag -0.7 --drift 1215
    ppgnas data convert anna.csv recordings/own --subject anna
    ppgnas data convert anna.csv recordings/own --ppg-column adc1 --time-column t --hr-column hr
    ppgnas data convert e4_session/ recordings/own --hr-csv polar_RR.txt
    ppgnas data convert study/ --guess
    """
    # What is for single files alone: keys of a mapping file, by the same names.
    given = {n: value for n, value in locals().items() if n not in SHARED and value is not None}
    named = [f"`{name}`" for name in given]
    from ppg.loaders.forms import is_own, read_own
    from ppg.npz.folder import write_folder
    from ppg.recording import check_drift, with_channels
    from ppgnas.errors import DataError

    path = Path(source)
    if guess:
        also = {"OUT": out, "`lag_s`": lag_s, "`drift_ppm`": drift_ppm or None}
        also["`channels`"] = channels
        beside = [name for name, value in also.items() if value is not None]
        beside += named
        if beside:
            raise DataError(
                f"{', '.join(beside)} given beside `guess`, which converts nothing; leave out, "
                "and write in recordings.toml what holds for its files."
            )
        write_guess(path, as_json=as_json)
        return
    if out is None:
        raise DataError("OUT is not given; name the folder to write .npz recordings to.")
    check_drift(drift_ppm)
    if lag_s is not None and not math.isfinite(lag_s):
        raise DataError(f"`lag_s` is {lag_s:g}; allowed: a number of seconds.")
    notes: list[str] = []
    if not path.exists() and (given or path.suffix):
        raise DataError(f"{path}: no such file. Give the path of a file or folder.")
    if is_own(path):
        recipe = None
        if given or lag_s is not None or drift_ppm:
            from ppg.loaders.own.mapping import recipe_of

            given |= {name: names_of(given[name]) for name in ("ppg", "acc") if name in given}
            recipe = recipe_of({**given, "lag_s": lag_s or 0.0, "drift_ppm": drift_ppm})
        recordings = read_own(path, recipe, say=notes.append)
    else:
        from ppg.loaders.registry import read_folder

        if given and path.is_file():
            read_folder(path)  # refuses it and says which forms there are
        if given:
            raise DataError(
                f"{', '.join(named)} is for a single file, and {path} is a folder; leave the "
                "option out, or name the file."
            )
        if path.resolve() in (Path(out).resolve(), *Path(out).resolve().parents):
            raise DataError(
                f"{out} lies in {path}, where the copies would stand for the originals from then "
                "on; name a folder outside of it."
            )
        recordings = read_folder(path, lag_s=lag_s, drift_ppm=drift_ppm)
    recordings = with_channels(recordings, channels)
    files = write_folder(Path(out), recordings)
    print_notes(notes)
    if as_json:
        emit({"folder": out, "files": [str(file) for file in files], "notes": notes})
        return
    if not any(len(recording.hr_bpm) for recording in recordings):
        count = "1 recording" if len(files) == 1 else f"{len(files)} recordings, each"
        print(f"{count} without a reference; read it with: ppgnas predict MODEL {files[0]}")
        return
    print(f"{len(files)} recordings in {out}; look at them with: ppgnas data inspect {out}")
