"""Adapting a network to one wearer, what it does on the rest of the recording, and its folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.package import fingerprints, write_package
from deploy.personal.fit import Guard, adapted, fitted, folds
from deploy.personal.head import with_head
from deploy.personal.kinds import change_of
from deploy.personal.memory import Effort, Memory, check_memory, effort_of, memory_of
from deploy.personal.prior import class_prior, prior_biases
from nas.models.folder import PARITY_WINDOWS
from nas.models.names import Model, ModelError
from nas.personal.calibration import Errors, PersonalKind, Wearer
from nas.run.card import Card, FileFacts, InC, Personal
from nas.run.folder import new_folder, new_place
from ppgnas.errors import ExportError
from ppgnas.files import write_json_atomic

Ints = NDArray[np.int64]
ADAPTING = "all-windows-1"  # another name whenever the same minutes lead to another head


@dataclass(frozen=True)
class Adaptation:
    """What came of a calibration.

    Attributes:
        windows, taught_bpm: that taught, and the lowest and highest heart rate of them.
        guard: what they say of heads that had not learnt from them; None for `none`.
        memory, effort: of learning on the device; None where nothing is learnt there.
        before, after: errors on the rest of the recording with the factory head, and with the
            head that the guard leaves; None where nothing is left.
        unguarded: errors as if the guard had always said yes; None likewise.
        constant_bpm: mean absolute error there of the mean heart rate that taught; None likewise.
        beyond: how many windows of the rest have a heart rate that did not teach.
        weights, biases: of the dense layer that the guard leaves.
    """

    kind: PersonalKind
    minutes: float
    windows: int
    taught_bpm: tuple[float, float]
    guard: Guard | None
    memory: Memory | None
    effort: Effort | None
    before: Errors | None
    after: Errors | None
    unguarded: Errors | None
    constant_bpm: float | None
    beyond: int
    weights: Ints = field(repr=False)
    biases: Ints = field(repr=False)

    @property
    def kept(self) -> bool:
        """Whether the head is another one than the factory's."""
        return self.guard is not None and self.guard.kept

    @property
    def reads_less_than_a_constant(self) -> bool:
        """Whether the mean heart rate that taught errs less on the rest than the head that is
        left."""
        if self.after is None or self.constant_bpm is None:
            return False
        return self.constant_bpm < self.after.mae_bpm

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the head."""
        told = {key: value for key, value in asdict(self).items() if key not in _HEAD}
        memory = None if self.memory is None else {**told["memory"], "total": self.memory.total}
        return {**told, "memory": memory}


_HEAD = ("weights", "biases")


def adapt(wearer: Wearer, *, minutes: float, kind: PersonalKind) -> Adaptation:
    """Adapt the head to the first minutes; the windows after a gap judge.

    Raises:
        DataError: too few windows in these minutes.
        ExportError: the kind takes more memory than allowed.
    """
    head, chosen = wearer.head, wearer.calibration(minutes)
    count = int(chosen.sum())
    folds(count, head.task)  # refuses too few
    features, labels = wearer.features[chosen], wearer.bpm_q8[chosen]
    memory: Memory | None = None
    effort: Effort | None = None
    guard: Guard | None = None
    weights, biases = head.weights, head.biases
    if kind == "prior":

        def make(taught: Ints) -> tuple[Ints, Ints]:
            return head.weights, prior_biases(head, class_prior(labels[taught] / 256, head.task))

        weights, biases, guard = adapted(head, make, features, labels)
    elif kind != "none":
        memory = memory_of(head, change_of(kind, head), windows=count)
        check_memory(memory, kind=kind)
        effort = effort_of(head, kind, windows=count)
        weights, biases, guard = fitted(head, kind, features, labels)
    rest, hr_bpm = wearer.rest(minutes), wearer.windows.hr_bpm
    low, high = float(hr_bpm[chosen].min()), float(hr_bpm[chosen].max())
    beyond = int(((hr_bpm[rest] < low) | (hr_bpm[rest] > high)).sum())
    before = after = unguarded = constant_bpm = None
    if rest.any():
        constant_bpm = float(np.abs(hr_bpm[rest] - hr_bpm[chosen].mean()).mean())
        before = wearer.errors(head.weights, head.biases, rest)
        unguarded = wearer.errors(weights, biases, rest)
        after = unguarded if guard is not None and guard.kept else before
    if guard is None or not guard.kept:
        weights, biases = head.weights, head.biases
    return Adaptation(
        kind,
        minutes,
        count,
        (low, high),
        guard,
        memory,
        effort,
        before,
        after,
        unguarded,
        constant_bpm,
        beyond,
        weights,
        biases,
    )


def write_adapted(
    out: Path, model: Model, wearer: Wearer, adapted: Adaptation, *, recording: str
) -> Card:
    """Write the adapted network as `ppgnas train` writes one, its card last.

    The card keeps what was known of the network before, and says so.

    Args:
        out: the folder; it must not exist.

    Raises:
        ModelError: the model has no card.
        RunError: `out` exists, or another process writes it.
        ExportError: the files do not equal the integer reference.
    """
    card = model.card()
    if card is None or model.arch is None:
        raise ModelError(
            f"{model.name} has no card, so no folder can be written of it; name a finalist as "
            "RUN:ID, or the folder that `ppgnas train` wrote"
        )
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
    with new_place(out), new_folder(out) as folder:
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
