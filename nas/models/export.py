"""Handing out a finalist's files.

TFLite and ONNX files are copied as they are, checked against the card. C is written from the
network's integers, whose files are checked the same way, as a folder that builds and runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.c.naming import PREFIX, Identity
from nas.models.names import Model, ModelError
from nas.models.signal_chain import Sensors, reading_of
from nas.run.card import Card, InC
from ppgnas import __version__
from ppgnas.errors import BoardError, ExportError
from ppgnas.files import content_of, write_bytes_atomic
from ppgnas.parsing import listed, refuse_idle
from ppgnas.task import Mode

if TYPE_CHECKING:
    from deploy.personal.example import Adapting

FILES = {"tflite": "model.tflite", "onnx": "model.onnx"}
C = "c"
FORMATS = (*FILES, C)
MANIFEST = "export.sha256"
"""What exports wrote beside C, and it, as `sha256sum --check` reads it."""
_INTEGERS = ("graph.json", "weights.safetensors")


def export_files(
    model: Model,
    formats: str | Sequence[str],
    out: Path,
    *,
    sensors: Sensors | None = None,
    prefix: str = PREFIX,
    mode: Mode | None = None,
    adapting: Adapting | None = None,
    force: bool = False,
) -> list[Path]:
    """Write files of a finalist to a folder.

    Args:
        sensors: of the device, for c; those of `Sensors()` if None.
        prefix: of every name in the C, so that several models link into one image.
        mode: of the C, whether it runs over windows or over what is new; the model's own if None.
        adapting: what the head can learn on the device, for c; nothing unless given.
        force: write over other files of the same names; and take away what an export of C wrote
            here before, this one does not, and nobody changed since.

    Raises:
        ModelError: an unknown format, a model without files, or, without `force`, another file of
            the same name, or one of another export of C, is there already: nothing is written.
        OptionError: something of the C is said where no c is asked for.
        ExportError: a file of the run is missing or is not the one that its card describes, or the
            network cannot be written in C for the run's board.
        GraphError: the network cannot stream.
    """
    sensors = sensors or Sensors()
    names = check_formats(formats, mode=mode, adapt=adapting, prefix=prefix, **sensors.stated)
    card = model.card()
    if model.folder is None or card is None:
        raise ModelError(
            f"{model.name} has no files to export; name a finalist as RUN:ID, "
            "for example results/run:1, or the folder that `ppgnas train` wrote"
        )
    contents = {
        FILES[name]: _checked(model.folder / FILES[name], card) for name in names if name != C
    }
    before, stale = _listed_in(out), []
    if C in names:
        contents |= _c_files(
            model, model.folder, card, sensors, prefix, mode or model.mode, adapting
        )
        of_card = {name: card.files[name].sha256 for name in FILES.values() if name in card.files}
        stale = [name for name in before if name not in contents]
        stale = [name for name in stale if before[name] != of_card.get(name)]
    if C in names or before:
        digests = {name: digest for name, digest in before.items() if name not in stale}
        digests |= {
            name: hashlib.sha256(content).hexdigest() for name, content in contents.items()
        }
        lines = [f"{digests[name]}  {name}\n" for name in sorted(digests)]
        contents[MANIFEST] = "".join(lines).encode()
    return write_files(contents, out, force=force, stale=[out / name for name in stale])


def check_formats(
    formats: str | Sequence[str], *, prefix: str = PREFIX, **of_c: object
) -> Sequence[str]:
    """Formats as they are called, from names or one text with commas.

    Args:
        prefix, of_c: what c alone has, by name.

    Raises:
        ModelError: one is unknown, empty or there twice.
        OptionError: something of the C is said where no c is asked for.
    """
    text = formats if isinstance(formats, str) else ",".join(formats)
    names = listed("formats", text, ModelError, example="tflite,c")
    for name in names:
        if name not in FORMATS:
            raise ModelError(
                f"`formats` is {name!r}; allowed: {', '.join(FORMATS)}, or several with a comma"
            )
    if C not in names:
        said = {**of_c, "prefix": prefix if prefix != PREFIX else None}
        refuse_idle(f"c alone has it, and `formats` is {','.join(names)}", **said)
    return names


def write_files(
    contents: Mapping[str, bytes], out: Path, *, force: bool, stale: Sequence[Path] = ()
) -> list[Path]:
    """Write files to a folder, all or none.

    Args:
        stale: files there that do not fit these, which `force` takes away.

    Raises:
        ModelError: without `force`, another file of the same name or a stale one is there already.
    """
    targets = {out / name: content for name, content in contents.items()}
    for target, content in targets.items():
        other = target.is_file() and target.read_bytes() != content
        other &= target.name != MANIFEST  # is of the files, which are looked at
        if (other and not force) or (target.exists() and not target.is_file()):
            raise ModelError(
                f"{target} exists and differs; it stays as it is. Choose another `out`, or write "
                "over it with `force`"
            )
    if stale and not force:
        raise ModelError(
            f"{stale[0]} is of an export with another `prefix`, or with `adapt`, or of another "
            "network, and does not fit what is asked for now. Choose another `out`, or take it "
            "away with `force`"
        )
    for path in stale:
        path.unlink()
    for target, content in targets.items():
        write_bytes_atomic(target, content)
    return list(targets)


def _listed_in(out: Path) -> dict[str, str]:
    """Files that exports wrote to a folder and nobody has changed, with their SHA-256."""
    manifest = out / MANIFEST
    lines = manifest.read_text(encoding="utf-8", errors="replace") if manifest.is_file() else ""
    found = {}
    for digest, _, name in (line.partition("  ") for line in lines.splitlines()):
        path = out / name.replace("\0", "")
        if not path.resolve().is_relative_to(out.resolve()):
            continue
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            found[name] = digest
    return found


def _checked(path: Path, card: Card) -> bytes:
    """A file of the run, if it is the one that the card describes."""
    if not path.is_file():
        raise ExportError(f"{path} is missing; run `ppgnas search` again")
    content = content_of(path)
    described = card.files.get(path.name)
    if described is None or hashlib.sha256(content).hexdigest() != described.sha256:
        raise ExportError(
            f"{path} is not the file that its card describes (sha256 differs), so its figures "
            "do not hold for it; run `ppgnas search` again"
        )
    return content


def _c_files(
    model: Model,
    folder: Path,
    card: Card,
    sensors: Sensors,
    prefix: str,
    mode: Mode,
    adapting: Adapting | None,
) -> dict[str, bytes]:
    """model.c, model.h, README.md, the example around them and the card."""
    from deploy.c.project import project
    from deploy.integers.single_rounding import RULE
    from nas.models.windows import windows_for

    for name in _INTEGERS:
        _checked(folder / name, card)
    net = model.net()
    (window,) = windows_for(model, net, data="synthetic", limit=1).x
    made = project(
        net,
        window,
        title=f"ppgnas {card.id}",
        mode=mode,
        reading=reading_of(net, card, sensors, mode=mode),
        max_scratch_bytes=_sram_bytes(card),
        identity=Identity(
            card.id,
            (folder if model.run is None else model.run.path).name,
            __version__,
            card.files[_INTEGERS[1]].sha256,
        ),
        prefix=prefix,
        adapting=adapting,
        speed=_speed(card, mode) + _pushed(card),
    )
    texts = {name: text.encode() for name, text in made.texts.items()}
    # The run's own errors by this rule stay; bytes and fingerprints are those of these files.
    judged = card.c if isinstance(card.c, InC) and mode == card.mode else None
    in_c = InC(
        made.source.program.bytes,
        RULE,
        {
            name: hashlib.sha256(content).hexdigest()
            for name, content in texts.items()
            if name.endswith(("model.c", "model.h"))
        },
        search=None if judged is None else judged.search,
        report=None if judged is None else judged.report,
        sensors=asdict(sensors),
    )
    document = json.dumps(replace(card, c=in_c).to_json(), indent=2, allow_nan=False) + "\n"
    texts["card.json"] = document.encode()
    return texts


def _speed(card: Card, mode: Mode) -> str:
    """What the card says of a call's time, for the README; or that it is of the other mode."""
    if mode != card.mode:
        return (
            f"This network was trained and judged in mode {card.mode}: no error of its card holds "
            f"for this C, which is of mode {mode}."
        )
    costs = card.costs
    call = "ppg_infer" if mode == "window" else "ppg_step"
    cycles, latency = costs.cycles, costs.latency_ms
    path = costs.path.cycles.value if costs.path is not None and costs.path.counted else 0.0
    ms = latency.value / (cycles.value + path)  # of a cycle: the latency is that of a reading
    return (
        f"`{call}` on {costs.board}, predicted by engine {costs.engine}: {cycles.value:.0f} "
        f"cycles ({cycles.low:.0f} to {cycles.high:.0f}), {cycles.value * ms:.3g} ms "
        f"({cycles.low * ms:.3g} to {cycles.high * ms:.3g})."
    )


def _pushed(card: Card) -> str:
    """Which channels of the sensor the firmware must push, for the README."""
    from ppg.recording import channels_of

    if card.channels is None:
        return ""
    chosen = ", ".join(map(str, channels_of(card.channels)))
    return (
        f"\n\nThe network learnt from PPG channels {chosen} of its recordings: push the same "
        "ones, those with a minus turned over (their samples times -1)."
    )


def _sram_bytes(card: Card) -> int | None:
    """What the board has that the network was costed for; None where its file is gone."""
    from hwmodels.boards import load_board

    try:
        return load_board(card.costs.board).sram_bytes
    except BoardError:
        return None
