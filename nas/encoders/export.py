"""Handing out the files of a compact encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.c.naming import PREFIX, Identity
from nas.encoders.card import FILE, EncoderCard
from nas.models.export import FILES, C, check_formats, write_files
from nas.run.documents import read_document
from ppgnas import __version__
from ppgnas.errors import ExportError
from ppgnas.files import sha256_of


def is_encoder(path: Path) -> bool:
    """Whether a folder is one that `ppgnas pretrain acc --size` wrote."""
    return (path / FILE).is_file()


def export_encoder(
    folder: Path,
    formats: str | Sequence[str],
    out: Path,
    *,
    prefix: str = PREFIX,
    force: bool = False,
) -> list[Path]:
    """Write files of a compact encoder to a folder; c is a project that builds and checks itself.

    Args:
        folder: see `is_encoder`.
        prefix: of every name in the C.

    Raises:
        ModelError: an unknown format, or another file of the same name is there already.
        ExportError: a file is missing.
        RunError: the card is damaged.
    """
    names = check_formats(formats, prefix=prefix)
    card = read_document(folder / FILE, EncoderCard.from_json)
    contents: dict[str, bytes] = {}
    for name in names:
        if name == C:
            contents |= _project(folder, card, prefix)
            continue
        path = folder / FILES[name]
        if not path.is_file():
            raise ExportError(f"{path} is missing; train the encoder again")
        contents[path.name] = path.read_bytes()
    return write_files(contents, out, force=force)


def _project(folder: Path, card: EncoderCard, prefix: str) -> dict[str, bytes]:
    """The network in C with an example of made-up samples, which prove its build."""
    import numpy as np

    from deploy.c.project import project
    from deploy.integers.quantized import QuantizedNet

    net = QuantizedNet.load(folder)
    shape = net.graph.shape(net.graph.input)
    noise = np.random.default_rng(0).integers(-128, 128, shape[1:]).astype(np.int8)
    seen = card.costs.latency_ms
    made = project(
        net,
        noise,
        title=f"ppgnas encoder {card.arch.id}",
        identity=Identity(
            card.arch.id, folder.name, __version__, sha256_of(folder / "weights.safetensors")
        ),
        prefix=prefix,
        speed=(
            f"`ppg_infer` embeds {card.segment_s} s of acceleration into {card.dimensions} "
            f"numbers; on {card.costs.board}, predicted by engine {card.costs.engine}: "
            f"{seen.value:.3g} ms ({seen.low:.3g} to {seen.high:.3g})."
        ),
    )
    return {name: text.encode() for name, text in made.texts.items()}
