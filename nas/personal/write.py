"""The folder of a network that was adapted to one wearer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deploy.package import fingerprints, write_package
from deploy.personal.head import with_head
from nas.models.folder import PARITY_WINDOWS
from nas.models.names import Model, ModelError
from nas.personal.adapt import Adaptation
from nas.personal.calibration import Wearer
from nas.run.card import Card, FileFacts, InC, Personal
from nas.run.folder import check_free, new_folder
from ppgnas.errors import ExportError
from ppgnas.files import write_json_atomic


def write_adapted(
    out: Path, model: Model, wearer: Wearer, adapted: Adaptation, *, recording: str
) -> Card:
    """Write the adapted network as `ppgnas train` writes one, its card last.

    The card keeps what was known of the network before, and says so.

    Args:
        out: the folder; it must not exist.

    Raises:
        ModelError: the model has no card.
        RunError: `out` exists.
        ExportError: the files do not equal the integer reference.
    """
    card = model.card()
    if card is None or model.arch is None:
        raise ModelError(
            f"{model.name} has no card, so no folder can be written of it; name a finalist as "
            "RUN:ID, or the folder that `ppgnas train` wrote"
        )
    check_free(out)
    low, high = adapted.taught_bpm
    told = (
        f"Adapted to the wearer of {recording}: errors on search and report people are those of "
        "the network before, and expected errors were fitted to its readings: how they hold for "
        f"this wearer is not known. It learnt from {low:.0f} to {high:.0f} BPM; beyond them it "
        "may err more than before."
    )
    # Who trained a finalist stands in its run alone, which this folder leaves.
    known = card if model.run is None else model.run.document()
    learnt = () if card.personal is None else card.personal.people
    net = with_head(model.net(), adapted.weights, adapted.biases)
    with new_folder(out) as folder:
        write_json_atomic(folder / "arch.json", model.arch.to_json())
        x = wearer.windows.spread(PARITY_WINDOWS)
        written = write_package(folder, net, name=card.id, x=x, mode=card.mode)
        files = {name: FileFacts(**facts) for name, facts in fingerprints(folder).items()}
        if isinstance(card.c, InC) and not isinstance(written.c, ExportError):
            names = (written.c.source.name, written.c.header.name)
            card = replace(
                card, c=replace(card.c, sha256={name: files[name].sha256 for name in names})
            )
        card = replace(
            card,
            files=files,
            parity=written.parity,
            personal=Personal(
                recording,
                adapted.kind,
                adapted.minutes,
                adapted.kept,
                None if adapted.before is None else adapted.before.mae_bpm,
                None if adapted.after is None else adapted.after.mae_bpm,
                (*learnt, *(wearer.windows.people if adapted.kept else ())),
            ),
            split=known.split,
            one_person=known.one_person,
            cautions=(*(card.cautions or ()), *([told] if adapted.kept else [])),
        )
        write_json_atomic(folder / "card.json", card.to_json())
    return card
