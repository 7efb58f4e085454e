"""The verb `pretrain`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli import options
from nas.cli.common import CHECKPOINT, emit, goes_on, verb
from nas.cli.options import Text
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from ppgnas.parsing import refuse_idle

if TYPE_CHECKING:
    from distill.encoders.files import StoredEncoder
    from nas.encoders.card import EncoderCard


@verb
def pretrain(
    sensor: Annotated[str, typer.Argument(metavar="ppg|acc", help="What the encoder reads.")],
    data: options.Sources,
    out: Annotated[
        str,
        typer.Option(
            help="What to write; it must not exist. Where a training was stopped, the same "
            "command goes on."
        ),
    ],
    method: Annotated[
        Text,
        typer.Option(
            help="Without a teacher: masked (default; fills in hidden patches) or contrast (two "
            "views)."
        ),
    ] = None,
    teacher: Annotated[
        Text,
        typer.Option(help="File of the PPG encoder that one of acceleration is aligned with."),
    ] = None,
    size: Annotated[
        Text,
        typer.Option(
            help="Weights of a compact int8 encoder, such as 8KB: a network of --space, written "
            "as a folder with model.tflite, model.onnx, model.c and its costs. Wants a teacher."
        ),
    ] = None,
    space: Annotated[Text, typer.Option(help=f"With --size: {options.SPACE_HELP}")] = None,
    board: Annotated[Text, typer.Option(help="Board of the costs, with --size.")] = None,
    engine: Annotated[Text, typer.Option(help="Runtime of the costs, with --size.")] = None,
    net: Annotated[
        Text, typer.Option(help="Without --size: small (default) or large, of the encoder.")
    ] = None,
    effort: options.Effort = "standard",
    steps: Annotated[int | None, typer.Option(help="Steps, instead of those of --effort.")] = None,
    batch: Annotated[int, typer.Option(help="Segments a step.")] = 128,
    seed: options.PretrainSeed = 0,
    shards: Annotated[
        str, typer.Option(help="Folder for the segments, which are cut once and found again.")
    ] = "results/segments",
    held_out_hours: options.HeldOut = 1.5,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Pre-train an encoder of 30 s of PPG, or of acceleration: by a PPG encoder, or alone.

    \b
    ppgnas pretrain ppg --data recordings/ --data unlabelled/ --out ppg.safetensors
    ppgnas pretrain acc --teacher ppg.safetensors --data recordings/ --out acc.safetensors
    ppgnas pretrain acc --teacher ppg.safetensors --data recordings/ --size 8KB --out acc-8kb
    ppgnas pretrain acc --method contrast --data recordings/ --out alone.safetensors
    torchrun --nproc-per-node 2 -m nas.cli.main pretrain ppg --data recordings/ --out p.safetensors
    """
    apart = ("apart", "out", "size", "space", "board", "engine", "net", "as_json")
    given = {name: value for name, value in locals().items() if name not in apart}
    if size is None:
        refuse_idle("`size` is not given", space=space, board=board, engine=engine)
    else:
        refuse_idle("`size` says how large the network is", net=net)
    from nas.encoders.compact import pretrain_compact
    from nas.encoders.pretrain import PretrainConfig, pretrain_encoder
    from nas.run.job.progress import for_terminal
    from nas.run.units import parse_bytes

    config = PretrainConfig(**{**given, "data": tuple(data), "net": net or "small"})
    with goes_on(CHECKPOINT):
        if size is None:
            stored = pretrain_encoder(config, Path(out), progress=for_terminal())
            _tell(out, stored, as_json=as_json)
            return
        card = pretrain_compact(
            config,
            Path(out),
            limit_bytes=parse_bytes(size, name="size"),
            space=space or "default",
            board=board or DEFAULT_BOARD,
            engine=engine or DEFAULT_ENGINE,
            progress=for_terminal(),
        )
        _tell_compact(out, card, as_json=as_json)


def _tell(out: str, stored: StoredEncoder, *, as_json: bool) -> None:
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
        f"embed with: ppgnas embed {shlex.quote(str(Path(out)))} --recording FILE"
    )


def _tell_compact(out: str, card: EncoderCard, *, as_json: bool) -> None:
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
