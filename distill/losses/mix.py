"""A mix of terms by name and weight, as `--distill` takes it.

    soft:1,dkd@k=5:0.5,feature

is the cross-entropy with the labels, plus 1 x `soft`, 0.5 x `dkd` with k = 5, and `feature` with
its usual weight. Three names are no terms:

* `none` alone: the labels teach, nobody else;
* `label:0.5` gives the labels another weight than 1, `label:0` leaves them out;
* `gate:5` lets the teacher teach labelled windows only where it errs by less than 5 BPM.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from distill.losses.batch import Batch, View
from distill.losses.distributions import label_loss
from distill.losses.line import expected_bpm
from distill.losses.terms import TERMS, Compute, Term
from distill.training.effort import Effort
from ppgnas.errors import MixError

NONE, LABEL, GATE = "none", "label", "gate"
_EXAMPLE = "Write for example soft:1,dkd@k=3:0.5"


@dataclass(frozen=True)
class Part:
    """A term of a mix: its name, weight, and the settings that are not the defaults."""

    name: str
    weight: float
    settings: Mapping[str, float] = field(default_factory=dict)

    @property
    def term(self) -> Term:
        """What it computes and needs."""
        return TERMS[self.name]

    @property
    def text(self) -> str:
        """As `parse_mix` reads it."""
        settings = "".join(f"@{name}={_plain(value)}" for name, value in self.settings.items())
        return f"{self.name}{settings}:{_plain(self.weight)}"


@dataclass(frozen=True)
class Mix:
    """What a student learns from.

    Attributes:
        parts: in the order of `TERMS`.
        label: weight of the labels' cross-entropy.
        gate_bpm: error from which on a teacher does not teach a labelled window, or None.
    """

    parts: tuple[Part, ...] = ()
    label: float = 1.0
    gate_bpm: float | None = None

    @property
    def text(self) -> str:
        """The mix in the one way that tells it from others; `parse_mix` reads it back."""
        named = [part.text for part in self.parts]
        if self.label != 1:
            named.insert(0, f"{LABEL}:{_plain(self.label)}")
        if self.gate_bpm is not None:
            named.append(f"{GATE}:{_plain(self.gate_bpm)}")
        return ",".join(named) or NONE

    @property
    def teacher(self) -> bool:
        """Whether a term needs a teacher."""
        return any(part.term.teacher for part in self.parts)

    @property
    def features(self) -> bool:
        """Whether a term needs features of student and teacher."""
        return any(part.term.features for part in self.parts)

    @property
    def adapted(self) -> bool:
        """Whether a training of it has an adaptor."""
        return any(part.term.adapted for part in self.parts)

    def without_features(self) -> Mix:
        """Less the terms that need features; what then teaches nothing is the labels alone."""
        parts = tuple(part for part in self.parts if not part.term.features)
        if len(parts) == len(self.parts):
            return self
        gate_bpm = self.gate_bpm if any(part.term.teacher for part in parts) else None
        label = self.label if parts or self.label else 1.0
        return Mix(parts, label, gate_bpm)

    def loss(self, student: View, batch: Batch) -> Tensor:
        """The sum of `terms`."""
        first, *others = self.terms(student, batch).values()
        return sum(others, first)

    def terms(self, student: View, batch: Batch) -> dict[str, Tensor]:
        """Weighted terms by name, each a mean over the windows that it sees.

        Args:
            batch: with a teacher's view if a term needs one.
        """
        labelled = _seen(student, batch, batch.labelled)
        taught = {True: labelled, False: (student, batch)}
        if self.gate_bpm is not None:
            error = expected_bpm(batch.taught.logits) - batch.hr_bpm
            right = (error.abs() < self.gate_bpm).cpu()
            taught[True] = _seen(student, batch, batch.labelled & right)
            taught[False] = _seen(student, batch, ~batch.labelled | right)
        found = {LABEL: self.label * _mean(_label, labelled)} if self.label else {}
        for part in self.parts:
            seen = taught[part.term.labels] if part.term.teacher else labelled
            found[part.name] = part.weight * _mean(part.term.compute, seen, **part.settings)
        return found


def parse_mix(text: str) -> Mix:
    """Read a mix.

    Args:
        text: `NAME`, `NAME:WEIGHT` or `NAME@SETTING=VALUE:WEIGHT`, joined by commas.

    Raises:
        MixError: a name, weight or setting is not allowed.
    """
    parts: dict[str, Part] = {}
    special: dict[str, float] = {}
    items = [item.strip() for item in text.split(",")]
    for item in [] if items == [NONE] else items:
        head, colon, weight = item.partition(":")
        name, *settings = head.split("@")
        if name in parts or name in special:
            raise MixError(f"`distill` {text!r} names {name} twice; name each term once")
        if head in (LABEL, GATE):
            special[head] = _number(text, f"the value of {head}", weight, low=0.0)
            continue
        if name not in TERMS:
            raise MixError(
                f"`distill` {text!r} names {name!r}, which is no term; allowed: "
                f"{', '.join(TERMS)}, {LABEL}, {GATE}, or {NONE} alone. {_EXAMPLE}"
            )
        term = TERMS[name]
        share = _number(text, f"the weight of {name}", weight) if colon else term.weight
        parts[name] = Part(name, share, _settings(text, name, settings))
    ordered = tuple(parts[name] for name in TERMS if name in parts)
    mix = Mix(ordered, special.get(LABEL, 1.0), special.get(GATE))
    if not mix.label and not mix.parts:
        raise MixError(f"`distill` {text!r} teaches nothing; name a term beside {LABEL}:0")
    if mix.gate_bpm is not None and not mix.teacher:
        raise MixError(f"`distill` {text!r} has a gate and no term that a teacher teaches")
    return mix


def chosen_mix(text: str, *, effort: Effort, taught: bool) -> Mix:
    """The mix that a training asks for.

    Args:
        text: for `parse_mix`, or `auto`, see `Effort.mix_of`.

    Raises:
        MixError: it cannot be read, or needs a teacher that is not there.
    """
    text = effort.mix_of(text, taught=taught)
    mix = parse_mix(text)
    needing = [part.name for part in mix.parts if part.term.teacher]
    if needing and not taught:
        free = ", ".join(name for name, term in TERMS.items() if not term.teacher)
        raise MixError(
            f"`distill` {text!r}: {', '.join(needing)} needs a teacher, and `teacher` is none; "
            f"name a `teacher`, or only terms that need none: {free}"
        )
    return mix


def _seen(student: View, batch: Batch, rows: Tensor) -> tuple[View, Batch]:
    """Both at some windows, `(batch,)` booleans on the CPU; as they are if those are all."""
    if bool(rows.all()):
        return student, batch
    at = rows.nonzero()[:, 0].to(student.logits.device)
    return student.only(at), batch.only(at)


def _label(student: View, batch: Batch) -> Tensor:
    return label_loss(student.logits, batch.labels)


def _mean(compute: Compute, seen: tuple[View, Batch], **settings: float) -> Tensor:
    """Of a term; 0 of fewer than two windows, which have no correlation, deviation or distance."""
    student, _ = seen
    if len(student.logits) > 1:
        return compute(*seen, **settings)
    parts = (student.logits, student.features, student.adapted)
    # Everything that a loss reaches has a gradient all the same: shards of a batch must agree.
    return torch.stack([0 * part.sum() for part in parts if part is not None]).sum()


def _settings(text: str, name: str, given: list[str]) -> dict[str, float]:
    """Those that are not the defaults, in the order of the term's."""
    allowed, found = TERMS[name].settings, dict[str, float]()
    for item in given:
        key, _, value = item.partition("=")
        if key not in allowed:
            known = ", ".join(
                f"{each} (usually {_plain(s.default)})" for each, s in allowed.items()
            )
            raise MixError(
                f"`distill` {text!r}: {name} has no setting {key!r}; it has "
                f"{known or 'none'}. {_EXAMPLE}"
            )
        if key in found:
            raise MixError(f"`distill` {text!r} sets {key} of {name} twice; set it once")
        found[key] = _number(text, f"{key} of {name}", value, allowed[key].low, allowed[key].high)
    return {
        key: found[key] for key in allowed if key in found and found[key] != allowed[key].default
    }


def _number(
    text: str, what: str, value: str, low: float | None = None, high: float = math.inf
) -> float:
    """A finite number from `low`, or above 0 where there is none, to `high`."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    above = number > 0 if low is None else number >= low
    if not (above and number <= high and math.isfinite(number)):
        span = "above 0" if low is None else f"at least {_plain(low)}"
        most = "" if math.isinf(high) else f" and at most {_plain(high)}"
        raise MixError(
            f"`distill` {text!r}: {what} is {value!r}; allowed: a number {span}{most}. {_EXAMPLE}"
        )
    return number


def _plain(number: float) -> str:
    return repr(float(number)).removesuffix(".0")
