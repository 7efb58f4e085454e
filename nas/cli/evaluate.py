"""The verb `evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import options
from nas.cli.common import arithmetic_of, emit, print_notes, verb
from nas.cli.options import Text
from ppgnas.parsing import refuse_idle
from ppgnas.tables import counted, text_table

if TYPE_CHECKING:
    from nas.models.evaluate import Evaluation


@verb
def evaluate(
    model: options.Weights,
    data: options.Data,
    smoothing: options.Smoothing = "hmm",
    file: Annotated[
        Text,
        typer.Option(
            help="Whose rounding: tflite (model.tflite in TFLM) or c (model.c).",
            show_default="the file of the card's errors",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of synthetic recordings; default 1.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Heart-rate error of a model on recordings, in the integer arithmetic of the device.

    \b
    ppgnas evaluate results/run:1 --data recordings/
    ppgnas evaluate results/run:1 --data recordings/ --file tflite
    ppgnas evaluate model.tflite --data recordings/ --smoothing clip --json
    """
    from nas.models.evaluate import evaluate as measure
    from nas.models.evaluate import file_of, readable
    from nas.models.names import find_model
    from nas.run.config import SYNTHETIC
    from nas.run.people import read_labelled
    from ppg.inspection.notes import faults
    from ppg.readout.smoothing import smoothing_of

    how = smoothing_of(smoothing)
    if data != SYNTHETIC:
        refuse_idle(f"`data` {data} is not drawn", seed=seed)
    found = find_model(model)
    file_of(found, file)
    found.net()  # says that weights are missing before anything is read
    recordings, lost = read_labelled(data, seed=1 if seed is None else seed)
    kept = readable(found, recordings)
    result = measure(found, kept, smoothing=how, file=file)
    card = found.card()
    notes = [
        *filter(None, [lost]),
        *faults(kept),
        *result.notes,
        *((card and card.cautions) or ()),
    ]
    if len(kept) < len(recordings):
        notes.insert(
            0,
            f"{counted(len(recordings) - len(kept), 'recording has', 'recordings have')} no "
            "acceleration, which this network reads; left out.",
        )
    print_notes(notes)
    if as_json:
        emit(result.to_json())
    else:
        print(as_text(result))


def as_text(result: Evaluation) -> str:
    """The same for people."""
    known = any(person.seen for person in result.people.values())
    unseen = result.unseen
    lines = [
        f"MAE {result.mae_bpm:.2f} BPM raw, {result.mae_bpm_smoothed:.2f} smoothed by "
        f"{result.smoothing} (mean of {counted(len(result.people), 'person', 'people')}, "
        f"{counted(result.windows, 'window')}, {arithmetic_of(result.mode)}, "
        f"model.{result.file}{', SYNTHETIC recordings' if result.synthetic else ''}); median "
        f"person {result.median_person_mae_bpm:.2f}; RMSE {result.rmse_bpm:.2f}; MAPE "
        f"{result.mape_percent:.1f} %; {result.within_5_bpm:.0%} within 5 BPM"
    ]
    if result.expected_error_bpm is not None:
        lines.append(
            f"The model itself expects {result.expected_error_bpm:.2f} BPM raw, "
            f"{result.expected_error_smoothed_bpm:.2f} smoothed (mean over people)"
        )
    if known and unseen is not None:
        lines.append(
            f"The {counted(unseen.people, 'person', 'people')} who neither trained nor ranked it: "
            f"{unseen.mae_bpm:.2f} BPM raw, {unseen.mae_bpm_smoothed:.2f} smoothed"
        )
    people = [
        (
            name,
            f"{row.mae_bpm:.2f}",
            f"{row.mae_bpm_smoothed:.2f}",
            row.windows,
            *((row.role or "-",) if known else ()),
        )
        for name, row in result.people.items()
    ]
    header = ("person", "MAE BPM", "smoothed", "windows")
    lines += ["", text_table((*header, *(("role",) if known else ())), people)]
    if set(result.activities) - {"unknown"}:
        rows = [
            (name, f"{row.mae_bpm:.2f}", f"{row.mae_bpm_smoothed:.2f}", row.windows, row.people)
            for name, row in result.activities.items()
        ]
        lines += ["", text_table(("activity", *header[1:], "people"), rows)]
    return "\n".join(lines)
