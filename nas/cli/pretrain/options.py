"""Options that both verbs of `pretrain` share, and what they say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.common import emit

if TYPE_CHECKING:
    from distill.encoders.files import StoredEncoder

Sources = Annotated[
    list[str],
    typer.Option("--data", help="Folder of recordings, or synthetic; may be given several times."),
]
Out = Annotated[
    str,
    typer.Option(
        help="What to write; it must not exist. Where a training was stopped, the same command "
        "goes on."
    ),
]
Shards = Annotated[
    str, typer.Option(help="Folder for the segments, which are cut once and found again.")
]
Net = Annotated[str, typer.Option(help="Size of the encoder: small or large.")]
Effort = Annotated[
    str, typer.Option(help="Training time: smoke (tries the path), quick, standard, thorough.")
]
Steps = Annotated[int | None, typer.Option(help="Steps, instead of those of --effort.")]
Batch = Annotated[int, typer.Option(help="Segments a step.")]
Seed = Annotated[int, typer.Option(help="Decides who is held out and everything that is drawn.")]
HeldOut = Annotated[
    float, typer.Option(help="Hours of whole people that must be held out, at least.")
]
STOPPED = "The same command goes on from the last checkpoint, if there is one yet."


def tell(out: str, stored: StoredEncoder, *, as_json: bool) -> None:
    """Say what was written; one of several processes says it for all."""
    if os.environ.get("RANK", "0") != "0":
        return
    facts = stored.facts
    if as_json:
        emit(
            {
                "encoder": out,
                "sensor": facts.sensor,
                "method": facts.method,
                "parameters": stored.parameters,
                "dimensions": stored.encoder.dimensions,
                "steps": facts.steps,
                "train_s": round(stored.train_s, 1),
                "people": len(facts.people),
                "held_out": list(facts.held_out),
                "fingerprint": facts.fingerprint,
            }
        )
        return
    print(
        f"{out}: {facts.sensor} encoder, {facts.method}, {stored.parameters:,} parameters, "
        f"{stored.encoder.dimensions} dimensions; {facts.steps} steps on {len(facts.people)} "
        f"people, {len(facts.held_out)} held out. Look at it with: ppgnas bench crossmodal; "
        f"embed with: ppgnas embed {Path(out)} --recording FILE"
    )
