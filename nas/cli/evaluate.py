"""The verbs that read heart rates: `evaluate` on people, `predict` along one recording."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.common import JSON_HELP, emit, verb
from ppgnas.tables import text_table

if TYPE_CHECKING:
    from nas.models.names import Model
    from ppg.recording import Recording

MODEL_HELP = "RUN:ID (a finalist), a folder of `ppgnas train`, or a .tflite file."
SMOOTHING_HELP = (
    "hmm (hidden-Markov smoother, default), clip (within 10 % of the mean of the last ten "
    "readings, as published networks are reported) or none."
)
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)]
Smoothing = Annotated[str, typer.Option(help=SMOOTHING_HELP)]
AsJson = Annotated[bool, typer.Option("--json", help=JSON_HELP)]

# Files, and the rule of `deploy.integers.reference` that each computes.
RULES = {"tflite": "tflm", "c": "c"}
# Parts of a split whose people a network knows.
SEEN = ("train", "search")
_ERRORS = ("mae_bpm", "mae_bpm_smoothed")
# Keys of `evaluate --json` that `ppg.people.metrics.summary` gives.
_EVALUATED = (
    "windows",
    "mae_bpm",
    "mae_bpm_smoothed",
    "median_person_mae_bpm",
    "rmse_bpm",
    "mape_percent",
    "within_5_bpm",
    "people",
)


@verb
def evaluate(
    model: ModelName,
    data: Annotated[str, typer.Option(help="Folder of recordings, or synthetic.")],
    smoothing: Smoothing = "hmm",
    file: Annotated[
        str, typer.Option(help="Whose rounding: tflite (model.tflite in TFLM) or c (model.c).")
    ] = "tflite",
    seed: Annotated[int, typer.Option(help="Of synthetic recordings.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Heart-rate error of a model on recordings, in the integer arithmetic of the device.

    \b
    ppgnas evaluate results/run:1 --data recordings/
    ppgnas evaluate results/run:1 --data recordings/ --file c
    ppgnas evaluate model.tflite --data recordings/ --smoothing clip --json
    """
    from nas.models.names import ModelError, find_model
    from nas.run.people import read_source
    from ppg.readout.smoothing import check_smoothing

    check_smoothing(smoothing)
    if file not in RULES:
        raise ModelError(f"--file is {file!r}; allowed: {', '.join(RULES)}")
    found = find_model(model)
    found.net()  # says that weights are missing before anything is read
    recordings = read_source(data, seed=seed)
    recordings = _readable(found, recordings)
    document = measure(found, recordings, smoothing=smoothing, file=file)
    for note in _notes(document):
        print(f"Note: {note}", file=sys.stderr)
    if as_json:
        emit(document)
        return
    print(as_text(document))


def _readable(found: Model, recordings: list[Recording]) -> list[Recording]:
    """The recordings that the network can read, with a note if that is not all of them."""
    _, acceleration = found.front_end
    kept = [r for r in recordings if r.acc is not None] if acceleration else recordings
    if not kept:
        return recordings  # reading the windows then says what is missing
    if len(kept) < len(recordings):
        print(
            f"Note: {len(recordings) - len(kept)} recordings have no acceleration, which this "
            "network reads; they are left out.",
            file=sys.stderr,
        )
    return kept


def measure(
    found: Model, recordings: Sequence[Recording], *, smoothing: str, file: str
) -> dict[str, Any]:
    """The document of `evaluate --json`, in the arithmetic of one of `RULES`."""

    from distill.evaluation import predict_windows
    from nas.models.folder import activities_of
    from nas.models.readout import decoding_of
    from ppg.people.metrics import mean_over_people, summary
    from ppg.windows import windows_of

    decoding = decoding_of(found.card())
    rate_hz, acceleration = found.front_end
    windows = windows_of(recordings, rate_hz=rate_hz, acceleration=acceleration)
    read = predict_windows(
        found.net(),
        windows,
        smoothing=smoothing,
        transitions=decoding.transitions,
        rule=RULES[file],
    )
    measured = summary(read.reference_bpm, read.bpm, read.bpm_smoothed, read.person, read.people)
    document = {key: measured[key] for key in _EVALUATED}
    split = _split_of(found)
    roles = _roles(split, recordings)
    for person, row in document["people"].items():
        row["role"] = roles[person]
    document["unseen"] = _unseen(document["people"]) if split else None
    document["arithmetic"] = "int8"
    document["file"] = file
    document["smoothing"] = smoothing
    document["activities"] = activities_of(read)
    for key, expected in (
        ("expected_error_bpm", decoding.expected_error_bpm(read)),
        (
            "expected_error_smoothed_bpm",
            decoding.expected_error_smoothed_bpm(read, smoothing=smoothing),
        ),
    ):
        document[key] = None if expected is None else mean_over_people(expected, read.person)
    document["synthetic"] = any(recording.synthetic for recording in recordings)
    return document


def as_text(document: dict[str, Any]) -> str:
    """The same for people."""

    def rows(tables: dict[str, dict[str, Any]], *further: str) -> list[tuple[object, ...]]:
        return [
            (
                name,
                f"{row['mae_bpm']:.2f}",
                f"{row['mae_bpm_smoothed']:.2f}",
                row["windows"],
                *(row[key] or "-" for key in further),
            )
            for name, row in tables.items()
        ]

    known = any(row["role"] in SEEN for row in document["people"].values())
    people = rows(document["people"], *(("role",) if known else ()))
    lines = [
        f"MAE {document['mae_bpm']:.2f} BPM raw, {document['mae_bpm_smoothed']:.2f} smoothed by "
        f"{document['smoothing']} (mean of {len(people)} people, {document['windows']} windows, "
        f"int8{', SYNTHETIC recordings' if document['synthetic'] else ''}); "
        f"median person {document['median_person_mae_bpm']:.2f}; RMSE {document['rmse_bpm']:.2f}; "
        f"MAPE {document['mape_percent']:.1f} %; {document['within_5_bpm']:.0%} within 5 BPM"
    ]
    if document["expected_error_bpm"] is not None:
        lines.append(
            f"The model itself expects {document['expected_error_bpm']:.2f} BPM raw, "
            f"{document['expected_error_smoothed_bpm']:.2f} smoothed (mean over people)"
        )
    unseen = document["unseen"]
    if known and unseen is not None:
        lines.append(
            f"The {unseen['people']} people who neither trained nor ranked it: "
            f"{unseen['mae_bpm']:.2f} BPM raw, {unseen['mae_bpm_smoothed']:.2f} smoothed"
        )
    header = ("person", "MAE BPM", "smoothed", "windows")
    lines += ["", text_table((*header, *(("role",) if known else ())), people)]
    if set(document["activities"]) - {"unknown"}:
        activities = rows(document["activities"], "people")
        lines += ["", text_table(("activity", *header[1:], "people"), activities)]
    return "\n".join(lines)


def _split_of(found: Model) -> dict[str, Any]:
    """Who trained, ranked and was reported on; empty where nobody knows, as of a bare file."""
    document = found.card() if found.run is None else found.run.document()
    split: dict[str, Any] = (document or {}).get("split", {})
    return split


def _roles(split: dict[str, Any], recordings: Sequence[Recording]) -> dict[str, str | None]:
    """For each person the part of a split that they are in, None if in none."""
    from ppg.identity.groups import known_people

    roles: dict[str, str | None] = dict.fromkeys(recording.person for recording in recordings)
    for part in ("report", "search", "train"):  # the last one counts
        roles |= dict.fromkeys(known_people(recordings, split.get(part, ())), part)
    return roles


def _unseen(people: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Errors over those who neither trained nor ranked the network; None if there are none."""
    rows = [row for row in people.values() if row["role"] not in SEEN]
    if not rows:
        return None
    means = {key: fmean(row[key] for row in rows) for key in _ERRORS}
    return {"people": len(rows), "windows": sum(row["windows"] for row in rows), **means}


def _notes(document: dict[str, Any]) -> list[str]:
    """What a reader of the errors must know about the people."""
    from ppg.people.split import UNMAPPED

    people = document["people"]
    notes = []
    met = sum(row["role"] in SEEN for row in people.values())
    if met:
        notes.append(
            f"{met} of these people trained or ranked this network; an error on them says nothing "
            "about others. Their role is shown with them, and `unseen` leaves them out."
        )
    unmapped = sorted({person.split("/")[0] for person in people} & UNMAPPED)
    if unmapped:
        notes.append(
            f"{', '.join(unmapped)}: who is who is unknown, so every recording counts as a person."
        )
    return notes


@verb
def predict(
    model: ModelName,
    recording: Annotated[
        str,
        typer.Argument(metavar="RECORDING", help="An .npz file (no labels needed), or a folder."),
    ],
    name: Annotated[
        str | None, typer.Option("--recording", help="Which recording of a folder.")
    ] = None,
    smoothing: Smoothing = "hmm",
    out: Annotated[str | None, typer.Option(help="CSV file to write; default: stdout.")] = None,
    plot: Annotated[str | None, typer.Option(help="HTML file with the plot to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """Heart rate along one recording, every 2 s, with the error to expect of each reading.

    \b
    ppgnas predict results/run:1 recordings/anna_1.npz --out trace.csv --plot trace.html
    ppgnas predict results/run:1 unlabelled.npz --json
    """
    from nas.models.names import find_model
    from nas.models.predict import (
        find_recording,
        trace_csv,
        trace_of,
        trace_rows,
        trace_summary,
    )
    from nas.models.readout import decoding_of
    from nas.report.trace import trace_page
    from ppg.readout.smoothing import check_smoothing
    from ppgnas.files import write_text_atomic

    check_smoothing(smoothing)
    found = find_model(model)
    net = found.net()
    trace = trace_of(
        net,
        find_recording(recording, name=name),
        front_end=found.front_end,
        decoding=decoding_of(found.card()),
        smoothing=smoothing,
    )
    document = trace_summary(trace)
    if out is not None:
        write_text_atomic(Path(out), trace_csv(trace))
    if plot is not None:
        write_text_atomic(Path(plot), trace_page(trace))
    if as_json:
        emit({**document, "smoothing": smoothing, "rows": trace_rows(trace)})
        return
    if out is None:
        sys.stdout.write(trace_csv(trace))
    print(trace_text(document), file=sys.stdout if out is not None else sys.stderr)


def trace_text(document: dict[str, Any]) -> str:
    """The summary of a trace in a line."""
    text = (
        f"{document['recording']}: {document['readings']} readings, "
        f"{document['lowest_bpm']:.0f} to {document['highest_bpm']:.0f} BPM"
    )
    if document["expected_error_bpm"] is not None:
        text += f", expected error {document['expected_error_bpm']:.2f} BPM"
    if document["mae_bpm"] is not None:
        text += (
            f"; against the reference {document['mae_bpm']:.2f} BPM raw, "
            f"{document['mae_bpm_smoothed']:.2f} smoothed"
        )
    return text + (" (SYNTHETIC)" if document["synthetic"] else "")
