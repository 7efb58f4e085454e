"""The verb `data convert`."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import AsJson, Channels, Text

MOST_PPM = 50_000
FOR_BOTH = ("source", "out", "lag_s", "drift_ppm", "channels", "as_json")


@verb
def convert(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Folder of a data set, or a .csv.")
    ],
    out: Annotated[str, typer.Argument(metavar="OUT", help="Folder to write .npz recordings to.")],
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
        typer.Option("--ppg-column", help="CSV: column of the PPG; several with commas."),
    ] = None,
    acc: Annotated[
        Text,
        typer.Option(
            "--acc-columns", help="CSV: three columns with commas; leave out if there is none."
        ),
    ] = None,
    hr: Annotated[
        Text,
        typer.Option(
            "--hr-column",
            help="CSV: column of the reference heart rate in BPM; without one the recording can "
            "be predicted alone.",
        ),
    ] = None,
    time: Annotated[
        Text,
        typer.Option("--time-column", help="CSV: column of the time; it gives the rates."),
    ] = None,
    time_unit: Annotated[
        Text, typer.Option(help="CSV: s (the default) or ms, of all time columns.")
    ] = None,
    rate_hz: Annotated[
        float | None,
        typer.Option("--rate", help="CSV: rows a second where there is no time column."),
    ] = None,
    acc_file: Annotated[
        Text,
        typer.Option("--acc-csv", help="CSV of the acceleration if it has its own."),
    ] = None,
    acc_rate_hz: Annotated[
        float | None,
        typer.Option("--acc-rate", help="Its rows a second, without a time column."),
    ] = None,
    acc_per_g: Annotated[
        float | None,
        typer.Option(help="CSV: values per g; 9.80665 for m/s2, 64 for counts of 1/64 g."),
    ] = None,
    hr_file: Annotated[
        Text,
        typer.Option("--hr-csv", help="CSV of the heart rate if it has its own."),
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
            help="CSV: instant (the default: a rate at a time, averaged over 8 s) or window (the "
            "mean of the 8 s from a time)."
        ),
    ] = None,
    subject: Annotated[Text, typer.Option(help="CSV: who; default: the file's name.")] = None,
    dataset: Annotated[
        Text, typer.Option(help="CSV: name of your data set; default: own.")
    ] = None,
    channels: Channels = None,
    as_json: AsJson = False,
) -> None:
    """Write a data set, or a .csv of your own, as .npz recordings.

    \b
    ppgnas data convert PPG_FieldStudy/ recordings/ppg_dalia
    ppgnas data convert BAMI/ recordings/bami --lag 0
    ppgnas data convert recordings/ chosen/ --channels 1,-3
    ppgnas data convert recordings/ right/ --lag -0.7 --drift 1215
    ppgnas data convert anna.csv recordings/own --ppg-column green --acc-columns ax,ay,az \\
        --hr-column hr --time-column t --subject anna
    """
    given = [
        f"`{name}`"
        for name, value in locals().items()
        if value is not None
        and name not in ("source", "out", "lag_s", "drift_ppm", "channels", "as_json")
    ]  # what is for a .csv alone

    from ppg.npz.folder import write_folder
    from ppg.recording import channels_of
    from ppgnas.errors import DataError

    if not abs(drift_ppm) <= MOST_PPM:
        raise DataError(
            f"`drift_ppm` is {drift_ppm:g}; allowed: -{MOST_PPM} to {MOST_PPM}, so 5 %. Clocks "
            "that run farther apart have a wrong rate."
        )
    notes: list[str] = []
    path = Path(source)
    if not path.exists() and (given or path.suffix.lower() == ".csv"):
        raise DataError(f"{path}: no such file. Give the path of a .csv file.")
    if path.is_file() and not given and path.suffix.lower() != ".csv":
        raise DataError(
            f"{path}: neither the folder of a data set nor a .csv; give the folder that holds it "
            "(ppgnas data list says which)."
        )
    if path.is_file():
        from ppg.loaders.own_csv import Columns, read_csv

        columns = Columns(
            ppg=_names("--ppg-column", ppg),
            acc=_names("--acc-columns", acc) if acc else (),
            hr=_names("--hr-column", hr)[0] if hr is not None else None,
            time=time,
            hr_time=hr_time,
            time_unit=time_unit or "s",
            hr_is=hr_is or "instant",
        )
        recording = read_csv(
            path,
            columns,
            rate_hz=rate_hz,
            acc_file=Path(acc_file) if acc_file else None,
            acc_rate_hz=acc_rate_hz,
            acc_per_g=1.0 if acc_per_g is None else acc_per_g,
            hr_file=Path(hr_file) if hr_file else None,
            hr_rate_hz=hr_rate_hz,
            subject=subject or path.stem,
            dataset="own" if dataset is None else dataset,
            lag_s=lag_s or 0.0,
            drift_ppm=drift_ppm,
            say=notes.append,
        )
        recordings = [recording]
    else:
        from ppg.loaders.registry import read_folder

        if given:
            raise DataError(
                f"{', '.join(given)} is for a .csv file, and {path} is a folder; leave the option "
                "out, or name the .csv file."
            )
        if lag_s is not None and not math.isfinite(lag_s):
            raise DataError(f"`lag_s` is {lag_s:g}; allowed: a number of seconds.")
        if path.resolve() in (Path(out).resolve(), *Path(out).resolve().parents):
            raise DataError(
                f"{out} lies in {path}, where the copies would stand for the originals from then "
                "on; name a folder outside of it."
            )
        recordings = read_folder(path, lag_s=lag_s, drift_ppm=drift_ppm)
    if channels is not None:
        chosen = channels_of(channels)
        recordings = [recording.with_channels(chosen) for recording in recordings]
    files = write_folder(Path(out), recordings)
    for note in notes:
        print(f"Note: {note}", file=sys.stderr)
    if as_json:
        emit({"folder": out, "files": [str(file) for file in files]})
        return
    if not any(len(recording.hr_bpm) for recording in recordings):
        print(f"1 recording without a reference; read it with: ppgnas predict MODEL {files[0]}")
        return
    print(f"{len(files)} recordings in {out}; look at them with: ppgnas data inspect {out}")


def _names(option: str, text: str | None) -> tuple[str, ...]:
    from ppgnas.errors import DataError

    names = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    if not names:
        raise DataError(
            f"a .csv file needs {option}; name the column as the first line of the file does, for "
            f"example --ppg-column green --hr-column hr --time-column t."
        )
    return names
