"""The verb `pretrain ppg`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.common import verb
from nas.cli.options import AsJson, Device
from nas.cli.pretrain.options import (
    STOPPED,
    Batch,
    Effort,
    HeldOut,
    Net,
    Out,
    Seed,
    Shards,
    Sources,
    Steps,
    tell,
)


@verb
def pretrain_ppg(
    data: Sources,
    out: Out,
    method: Annotated[
        str, typer.Option(help="masked (fills in hidden patches) or contrast (two views).")
    ] = "masked",
    net: Net = "small",
    effort: Effort = "standard",
    steps: Steps = None,
    batch: Batch = 128,
    seed: Seed = 0,
    shards: Shards = "results/segments",
    held_out_hours: HeldOut = 1.5,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Pre-train an encoder of PPG without labels: what teaches one of acceleration.

    \b
    ppgnas pretrain ppg --data recordings/ --data unlabelled/ --out ppg.safetensors
    ppgnas pretrain ppg --data recordings/ --method contrast --effort quick --out p.safetensors
    torchrun --nproc-per-node 2 -m nas.cli.main pretrain ppg --data recordings/ --out p.safetensors
    """
    from nas.encoders.pretrain import PretrainConfig, pretrain_encoder
    from nas.run.progress import for_terminal

    config = PretrainConfig(
        data=tuple(data),
        shards=shards,
        method=method,
        net=net,
        effort=effort,
        steps=steps,
        batch=batch,
        seed=seed,
        held_out_hours=held_out_hours,
        device=device,
    )
    try:
        stored = pretrain_encoder("ppg", config, Path(out), progress=for_terminal())
    except KeyboardInterrupt:
        raise KeyboardInterrupt(STOPPED) from None
    tell(out, stored, as_json=as_json)
