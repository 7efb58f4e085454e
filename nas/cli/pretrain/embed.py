"""The verb `embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli import options
from nas.cli.common import emit, print_notes, verb
from nas.cli.data.options import LABELS, reads_a_file
from ppgnas.parsing import refuse_idle


@verb
@reads_a_file
def embed(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A .safetensors file of `ppgnas pretrain`, or a folder of its --size.",
        ),
    ],
    recording: Annotated[
        str, typer.Option(help="A file of any form (no labels needed), or a folder.")
    ],
    name: options.RecordingName = None,
    out: options.CsvOut = None,
    as_json: options.AsJson = False,
    *,
    given: dict[str, Any],
) -> None:
    """Embeddings of a recording: one row every 10 s, of the 30 s that begin there.

    \b
    ppgnas embed acc.safetensors --recording recordings/anna_1.npz --out anna.csv
    ppgnas embed acc-8kb --recording recordings/ --name anna_1 --json
    """
    refuse_idle("embeddings need no labels", **{name: given.get(name) for name in LABELS})
    from nas.encoders.vectors import embeddings_of, find_encoder, table_of
    from nas.models.predict import find_recording
    from ppgnas.files import write_text_atomic

    encoder = find_encoder(Path(model))
    notes: list[str] = []
    read = find_recording(recording, name=name, options=given, say=notes.append)
    found = embeddings_of(encoder, read)
    if not found.clear.all():
        notes.append(
            f"{(~found.clear).sum()} of {len(found.clear)} segments touch a hole in the signals, "
            "which is filled in; no encoder learns from such."
        )
    print_notes(notes)
    if out is not None:
        write_text_atomic(Path(out), table_of(found))
    if as_json:
        emit(
            {
                "model": model,
                "recording": found.recording,
                "sensor": encoder.sensor,
                "arithmetic": encoder.arithmetic,
                "start_s": found.start_s.tolist(),
                "touches_gap": (~found.clear).tolist(),
                "embeddings": found.vectors.tolist(),
            }
        )
        return
    if out is None:
        print(table_of(found), end="")
        return
    print(
        f"{found.recording}: {len(found.start_s)} segments, {found.vectors.shape[1]} dimensions "
        f"({encoder.sensor}, {encoder.arithmetic})"
    )
