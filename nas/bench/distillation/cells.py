"""What is trained: a recipe is a row of a bench, a cell is a recipe with a seed.

Cells of one ground (teacher, people, recordings without a reference, seed) share a pool, so that
the teacher is trained and asked once for all of them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

from ppgnas.errors import DataError

NO_TEACHER, LABELS_ALONE = "none", "none"
Quantisation = Literal["aware", "post", "float"]
QUANTISATIONS: tuple[Quantisation, ...] = get_args(Quantisation)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the targets of a training come from.

    Attributes:
        teacher: `none`, or a name or file of a teacher.
        people: how many training people, drawn by the seed; None is all.
    """

    teacher: str = NO_TEACHER
    people: int | None = None


@dataclass(frozen=True, kw_only=True)
class Ground(Source):
    """A source with a seed: one teacher, one pool."""

    seed: int

    @property
    def source(self) -> Source:
        """It without the seed."""
        return source_of(self)

    @property
    def id(self) -> str:
        """Ten hexadecimal digits from the content."""
        return _digest(asdict(self))


@dataclass(frozen=True, kw_only=True)
class Recipe(Source):
    """A row of a bench.

    Attributes:
        student: see `nas.bench.distillation.students`.
        mix: what is learnt from the teacher; `none` is from labels alone.
        quantisation: `aware` simulates the integers at the end of the training, `post` rounds the
            trained network, `float` is the network before it is rounded.
    """

    student: str
    mix: str = LABELS_ALONE
    quantisation: Quantisation = "aware"

    def __post_init__(self) -> None:
        if (self.teacher == NO_TEACHER) != (self.mix == LABELS_ALONE):
            raise DataError(
                f"teacher {self.teacher!r} and mix {self.mix!r} do not go together; without a "
                "teacher both are none"
            )

    @property
    def source(self) -> Source:
        """What it learns from."""
        return source_of(self)

    @property
    def id(self) -> str:
        """Ten hexadecimal digits from the content."""
        return _digest(asdict(self))


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


def source_of(more: Source) -> Source:
    """The source alone."""
    return Source(**{each.name: getattr(more, each.name) for each in fields(Source)})


def _digest(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]
