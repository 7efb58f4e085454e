"""The verb `predict`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli import options
from nas.cli.common import emit, print_notes, verb
from nas.cli.data.options import reads_a_file
from nas.cli.options import Text
from ppgnas.tables import counted

if TYPE_CHECKING:
    from nas.models.predict import TraceSummary


@verb
@reads_a_file
def predict(
    model: options.Weights,
    recording: Annotated[
        str,
        typer.Argument(
            metavar="RECORDING",
            help="A file (.npz, or of any form in docs/forms.md; no labels needed), or a folder.",
        ),
    ],
    name: Annotated[Text, typer.Option("--recording", help="Which recording of a folder.")] = None,
    channels: options.Channels = None,
    smoothing: options.Smoothing = "hmm",
    out: options.CsvOut = None,
    plot: Annotated[Text, typer.Option(help="HTML file with the plot to write.")] = None,
    as_json: options.AsJson = False,
    *,
    given: dict[str, Any],
) -> None:
    """Heart rate along one recording, a reading a stride, with the error to expect of each.

    \b
    ppgnas predict results/run:1 recordings/anna_1.npz --out trace.csv --plot trace.html
    ppgnas predict results/run:1 unlabelled.npz --json
    ppgnas predict results/run:1 anna_walk.csv
    ppgnas predict results/run:1 bare.csv --columns t,green,ax,ay,az
    """
    from nas.models.names import find_model
    from nas.models.predict import find_recording, trace_csv, trace_of, trace_summary
    from nas.models.readout import decoding_of
    from nas.report.trace import trace_page
    from ppg.inspection.channels import channel_warnings
    from ppg.inspection.signals import reference_fault
    from ppg.readout.smoothing import smoothing_of
    from ppg.recording import with_channels
    from ppgnas.files import write_text_atomic

    how = smoothing_of(smoothing)
    found = find_model(model)
    net = found.net()
    notes: list[str] = []
    read = find_recording(recording, name=name, options=given, say=notes.append)
    (read,) = with_channels([read], found.channels if channels is None else channels)
    card = found.card()
    trace = trace_of(
        net,
        read,
        inputs=found.inputs,
        decoding=decoding_of(card),
        file=found.runs,
        smoothing=how,
        mode=found.mode,
    )
    summary = trace_summary(trace)
    told = [message for _, message in channel_warnings(read)]
    told += filter(None, [reference_fault(read)])
    print_notes((*notes, *told, *((card and card.cautions) or ())))
    if out is not None:
        write_text_atomic(Path(out), trace_csv(trace))
    if plot is not None:
        write_text_atomic(Path(plot), trace_page(trace))
    if as_json:
        emit({**asdict(summary), "smoothing": smoothing, "rows": trace.rows()})
        return
    if out is None:
        sys.stdout.write(trace_csv(trace))
    print(trace_text(summary), file=sys.stdout if out is not None else sys.stderr)


def trace_text(summary: TraceSummary) -> str:
    """The summary of a trace in a line."""
    began = f" (began {summary.started})" if summary.started else ""
    text = (
        f"{summary.recording}{began}: {counted(summary.readings, 'reading')}, "
        f"{summary.lowest_bpm:.0f} to {summary.highest_bpm:.0f} BPM"
    )
    if summary.flagged:
        text += f", {summary.flagged} flagged (a gap in the signals lies in the window)"
    if summary.expected_error_bpm is not None:
        text += f", expected error {summary.expected_error_bpm:.2f} BPM"
    if summary.mae_bpm is not None:
        text += (
            f"; against the reference {summary.mae_bpm:.2f} BPM raw, "
            f"{summary.mae_bpm_smoothed:.2f} smoothed"
        )
    return text + (" (SYNTHETIC)" if summary.synthetic else "")
