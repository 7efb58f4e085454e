"""Options that `pretrain` shares with `bench crossmodal`."""

from __future__ import annotations

from typing import Annotated

import typer

Sources = Annotated[
    list[str],
    typer.Option("--data", help="Folder of recordings, or synthetic; may be given several times."),
]
Seed = Annotated[int, typer.Option(help="Decides who is held out and everything that is drawn.")]
HeldOut = Annotated[
    float, typer.Option(help="Hours of whole people that must be held out, at least.")
]
