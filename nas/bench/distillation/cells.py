"""What is trained: a recipe is a row of a bench, a cell is a recipe with a seed.

Cells of one ground (source of the targets, seed) share a pool, so that the teacher is trained and
asked once for all of them.

Every row of a bench may spend equal minutes of one core, as the processor counts them for the
process that trains, so that a busy machine does not cut a training short. A row pays for its
ground (training the teacher, drawing the pool, asking the teacher for its answers) as if it were
trained alone, and for its own training. `minutes` is what is left for the training of the row with
the costliest ground; every other row, labels alone above all, trains as much longer as its ground
is cheaper. Grounds and the pace of each row, in seconds a step of its stages, are measured with
the first seed and then stay, so that a seed repeats a bench. The steps of float and int8 training
keep the proportion of the effort.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

from distill.teachers.names import NONE
from nas.models.names import ModelError, find_model
from ppgnas.errors import DataError
from search_spaces.arch import Arch
from search_spaces.published import PUBLISHED, PUBLISHED_PREFIX

LABELS_ALONE, DIRECT = "none", "direct"
Quantisation = Literal["aware", "post", "float"]

WIDTH = "@"
PLAIN = ("mlp", "cornet")  # see `distill.baselines`
SIZES = tuple(f"medium{WIDTH}{width}" for width in (0.2, 0.4, 0.75, 1.4, 2.4, 4.2))
"""One shape at 0.9, 2.1, 4.9, 12, 30 and 80 KB of weights."""


def plain_kind(name: str) -> str | None:
    """The kind of a student such as `mlp:medium`; None for one with an architecture.

    That is a perceptron with as many parameters as `medium`, in float alone.
    """
    kind, colon, _ = name.partition(":")
    return kind if colon and kind in PLAIN else None


def student_arch(name: str) -> Arch:
    """The architecture of a student; of a plain one, that which it has the parameters of.

    Args:
        name: of `search_spaces.published`, as `medium@0.5` with half its channels, or what
            `ppgnas train` takes: an arch.json, RUN:ID.

    Raises:
        ModelError, SpaceError: there is none.
    """
    if (kind := plain_kind(name)) is not None:
        name = name.removeprefix(f"{kind}:")
    base, _, factor = name.partition(WIDTH)
    if base in PUBLISHED and factor:
        return scaled(PUBLISHED[base], float(factor))
    arch = PUBLISHED.get(name) or find_model(name).arch
    if arch is None:
        raise ModelError(
            f"{name} has no architecture to train; allowed: {', '.join(PUBLISHED)}, one of them "
            f"with its channels times a number (medium{WIDTH}0.5), an arch.json, RUN:ID or "
            f"{PUBLISHED_PREFIX}NAME"
        )
    return arch


def scaled(arch: Arch, factor: float) -> Arch:
    """The same shape with all widths times a factor, to even numbers of channels."""

    def width(channels: int) -> int:
        return max(2, 2 * round(channels * factor / 2)) if channels else 0

    return replace(
        arch,
        stem_width=width(arch.stem_width),
        stages=tuple(replace(stage, width=width(stage.width)) for stage in arch.stages),
        head_width=width(arch.head_width),
    )


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
        student: see `nas.bench.distillation.cells`.
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


@dataclass(frozen=True)
class RecipePace:
    """Seconds of one core for a step of the float training, and of the one for integers."""

    float_s: float
    int8_s: float


@dataclass(frozen=True)
class Steps:
    """Steps of the float training, and of the one for integers."""

    float_steps: int
    int8_steps: int


def planned(
    recipe: Recipe,
    pace: RecipePace,
    ground_s: Mapping[Source, float],
    *,
    minutes: float,
    int8_share: float,
) -> Steps:
    """The steps of a row.

    Args:
        ground_s: seconds of all grounds of the bench.
        minutes: see the module.
        int8_share: int8 steps to a float step, where the training knows of the integers.
    """
    seconds = 60 * minutes + max(ground_s.values()) - ground_s[recipe.source]
    share = int8_share if recipe.quantisation == "aware" else 0.0
    steps = max(1, int(seconds / (pace.float_s + share * pace.int8_s)))
    return Steps(steps, max(1, round(steps * share)) if share else 0)
