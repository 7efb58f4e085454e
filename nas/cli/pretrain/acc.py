"""The verb `pretrain acc`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.common import emit, verb
from nas.cli.options import AsJson, Device, Text
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
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE

if TYPE_CHECKING:
    from nas.encoders.pretrain import PretrainConfig


@verb
def pretrain_acc(
    data: Sources,
    out: Out,
    teacher: Annotated[
        Text, typer.Option(help="File of the PPG encoder to align with; without, acc alone.")
    ] = None,
    method: Annotated[
        Text, typer.Option(help="Without a teacher: masked (default) or contrast.")
    ] = None,
    size: Annotated[
        Text,
        typer.Option(
            help="Weights of a compact int8 encoder, such as 8KB: a network of --space, written "
            "as a folder with model.tflite, model.onnx, model.c and its costs."
        ),
    ] = None,
    space: Annotated[str, typer.Option(help="default, tiny, wide, or a .toml file.")] = "default",
    board: Annotated[str, typer.Option(help="Board of the costs, with --size.")] = DEFAULT_BOARD,
    engine: Annotated[
        str, typer.Option(help="Runtime of the costs, with --size.")
    ] = DEFAULT_ENGINE,
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
    """Pre-train an encoder of acceleration: by a PPG encoder, or alone to compare with.

    \b
    ppgnas pretrain acc --teacher ppg.safetensors --data recordings/ --out acc.safetensors
    ppgnas pretrain acc --teacher ppg.safetensors --data recordings/ --size 8KB --out acc-8kb
    ppgnas pretrain acc --method contrast --data recordings/ --out alone.safetensors
    """
    from nas.encoders.pretrain import PretrainConfig, pretrain_encoder
    from nas.run.progress import for_terminal

    config = PretrainConfig(
        data=tuple(data),
        shards=shards,
        method=method,
        teacher=teacher,
        net=net,
        effort=effort,
        steps=steps,
        batch=batch,
        seed=seed,
        held_out_hours=held_out_hours,
        device=device,
    )
    try:
        if size is not None:
            _compact(config, out, size, space, board, engine, as_json=as_json)
            return
        stored = pretrain_encoder("acc", config, Path(out), progress=for_terminal())
    except KeyboardInterrupt:
        raise KeyboardInterrupt(STOPPED) from None
    tell(out, stored, as_json=as_json)


def _compact(
    config: PretrainConfig,
    out: str,
    size: str,
    space: str,
    board: str,
    engine: str,
    *,
    as_json: bool,
) -> None:
    from nas.encoders.compact import pretrain_compact
    from nas.run.progress import for_terminal
    from nas.run.units import parse_bytes

    card = pretrain_compact(
        config,
        Path(out),
        limit_bytes=parse_bytes(size, name="size"),
        space=space,
        board=board,
        engine=engine,
        progress=for_terminal(),
    )
    if as_json:
        emit({"encoder": out, **card.to_json()})
        return
    seen = card.emulated
    print(
        f"{out}: {card.weight_bytes} B of weights, {card.macs} MAC a segment, "
        f"{card.costs.latency_ms.value:.2f} ms on {card.costs.board} ({card.costs.engine}); "
        + (
            f"not emulated: {card.not_emulated}"
            if seen is None
            else f"in emulation {seen.differences} of {seen.outputs} outputs differ from the "
            f"integers, {seen.cycles} cycles, {seen.stack_bytes} B of stack"
        )
    )
