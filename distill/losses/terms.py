"""The terms that a mix may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from distill.losses.batch import Batch, View
from distill.losses.distributions import dist, dkd, hard, soft, standard
from distill.losses.features import attention, feature, relation
from distill.losses.line import bounded, huber, mse, pulse, rps, w1
from ppg.readout.classes import FIRST_BPM

Compute = Callable[..., Tensor]  # `compute(student view, batch, **settings)`


@dataclass(frozen=True)
class Setting:
    """A number that a term takes: its default, and what is allowed."""

    default: float
    low: float
    high: float


@dataclass(frozen=True)
class Term:
    """A loss with a name.

    Attributes:
        weight: where a mix gives none, so that the term is about as large as the label's.
        labels: it reads labels, so it sees labelled windows alone.
        features: it needs features of student and teacher.
        adapted: it needs the student's in the teacher's channels.
    """

    compute: Compute
    weight: float
    settings: Mapping[str, Setting] = field(default_factory=dict)
    labels: bool = False
    teacher: bool = True
    features: bool = False
    adapted: bool = False


def _of_logits(loss: Compute) -> Compute:
    return lambda student, batch, **settings: loss(student.logits, batch.taught.logits, **settings)


def _of_features(loss: Compute) -> Compute:
    return lambda student, batch, **settings: loss(
        student.features, batch.taught.features, **settings
    )


def _of_labels(loss: Compute) -> Compute:
    return lambda student, batch, **settings: loss(student.logits, batch.hr_bpm, **settings)


def _of_both(loss: Compute) -> Compute:
    return lambda student, batch, **settings: loss(
        student.logits, batch.taught.logits, batch.hr_bpm, **settings
    )


def _feature(student: View, batch: Batch) -> Tensor:
    teacher = batch.taught.features
    assert student.adapted is not None and teacher is not None
    return feature(student.adapted, teacher)


def _dkd(student: View, batch: Batch, **settings: float) -> Tensor:
    """Around the label; where there is none, around what the teacher finds likeliest."""
    teacher = batch.taught.logits
    last_bpm = FIRST_BPM + teacher.shape[1] - 1
    label = (batch.hr_bpm.clamp(FIRST_BPM, last_bpm) - FIRST_BPM).round()
    labelled = batch.labelled.to(label.device)
    target = torch.where(labelled, label, teacher.argmax(dim=1).to(label.dtype))
    return dkd(student.logits, teacher, target, **settings)


_SHARE = 0.0, 1.0
_ANY = 0.0, 1e3


def _temperature(default: float) -> Setting:
    return Setting(default, 0.1, 100.0)


TERMS: dict[str, Term] = {
    "hard": Term(_of_logits(hard), 1.0),
    "soft": Term(_of_logits(soft), 1.0, {"t": _temperature(1.0)}),
    "standard": Term(_of_logits(standard), 9.0, {"t": _temperature(2.0)}),
    "dkd": Term(
        _dkd,
        1.0,
        {
            "k": Setting(3.0, 0.0, 60.0),
            "t": _temperature(2.0),
            "alpha": Setting(1.0, *_ANY),
            "beta": Setting(2.0, *_ANY),
        },
    ),
    "dist": Term(
        _of_logits(dist),
        1.0,
        {"t": _temperature(1.0), "beta": Setting(1.0, *_ANY), "gamma": Setting(1.0, *_ANY)},
    ),
    "w1": Term(_of_logits(w1), 0.1),
    "rps": Term(_of_logits(rps), 0.1),
    "feature": Term(_feature, 1.0, features=True, adapted=True),
    "attention": Term(_of_features(attention), 1000.0, features=True),
    "relation": Term(
        _of_features(relation),
        1.0,
        {"distances": Setting(25.0, *_ANY), "angles": Setting(50.0, *_ANY)},
        features=True,
    ),
    "mse": Term(_of_labels(mse), 0.01, labels=True, teacher=False),
    "huber": Term(
        _of_labels(huber), 0.1, {"delta": Setting(1.0, 0.01, 100.0)}, labels=True, teacher=False
    ),
    "pulse": Term(
        _of_both(pulse),
        0.1,
        {"b": Setting(0.5, *_SHARE), "g": Setting(0.667, *_SHARE)},
        labels=True,
    ),
    "bounded": Term(
        _of_both(bounded), 0.01, {"v": Setting(0.5, *_ANY), "m": Setting(0.0, *_ANY)}, labels=True
    ),
}
