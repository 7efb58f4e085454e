"""What is trained: a recipe is a row of a bench, a cell is a recipe with a seed.

Cells of one ground (source of the targets, seed) share a pool, so that the teacher is trained and
asked once for all of them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

from distill.teachers.names import NONE
from nas.bench.distillation.students import plain_kind
from ppgnas.errors import DataError

LABELS_ALONE, DIRECT = "none", "direct"
Quantisation = Literal["aware", "post", "float"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the targets of a training come from.

    Attributes:
        teacher: see `distill.teachers.names.files_of`.
        calibrated: whether its logits are divided by the temperature that search people ask for.
        people: how many training people, drawn by the seed; None is all.
        unlabelled: whether the bench's recordings without a reference teach, too.
    """

    teacher: str = NONE
    calibrated: bool = True
    people: int | None = None
    unlabelled: bool = False

    @property
    def id(self) -> str:
        """Ten hexadecimal digits from what is no default, so that a new field changes none."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        said = {f.name: told[f.name] for f in fields(self) if told[f.name] != f.default}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:10]

    @property
    def source(self) -> Source:
        """It alone, without what a ground or a recipe adds."""
        return Source(**{f.name: getattr(self, f.name) for f in fields(Source)})


@dataclass(frozen=True, kw_only=True)
class Ground(Source):
    """A source with a seed: one teacher, one pool."""

    seed: int


@dataclass(frozen=True, kw_only=True)
class Recipe(Source):
    """A row of a bench.

    Attributes:
        student: see `nas.bench.distillation.students`.
        mix: what is learnt, see `distill.losses.mix`; `none` is from labels alone.
        stages: of the training, see `distill.training.recipe`.
        quantisation: `aware` simulates the integers at the end of the training, `post` rounds the
            trained network, `float` is the network before it is rounded.
    """

    student: str
    mix: str = LABELS_ALONE
    stages: str = DIRECT
    quantisation: Quantisation = "aware"

    def __post_init__(self) -> None:
        if plain_kind(self.student) is not None and self.quantisation != "float":
            raise DataError(f"student {self.student} is a network in float alone")
        if self.teacher != NONE and self.mix == LABELS_ALONE:
            raise DataError(
                f"teacher {self.teacher!r} has nothing to teach, as `distill` is none; name a "
                "term, such as soft"
            )

    @property
    def trained_as(self) -> Recipe:
        """The recipe whose training it takes: `post` rounds what `float` leaves."""
        return replace(self, quantisation="float") if self.quantisation == "post" else self


@dataclass(frozen=True)
class Cell:
    """One training."""

    recipe: Recipe
    seed: int

    @property
    def id(self) -> str:
        """Of the recipe, with the seed."""
        return f"{self.recipe.id}-{self.seed}"

    @property
    def ground(self) -> Ground:
        """What it shares with others."""
        return Ground(**asdict(self.recipe.source), seed=self.seed)
