"""In which stages a network is trained and made smaller: a file, so that an order can be tried.

A recipe is a TOML file of `[[stages]]` tables that are done in order; `do` names the stage. Steps
are a share of the float steps that the effort buys, so that recipes can be compared at equal
training; those with simulated integers are the effort's own.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ppgnas.errors import SpaceError
from ppgnas.toml_file import FileModel, named_file, read_as
from search_spaces.arch import Arch
from search_spaces.published import PUBLISHED_PREFIX, published

RECIPES_DIR = Path(__file__).parent / "recipes"
HELP = "See docs/distillation.md for the stages and their keys"
Steps = Annotated[float, Field(gt=0, le=10)]


class Train(FileModel):
    """Float training of the network as it is."""

    do: Literal["train"]
    steps: Steps


class Prune(FileModel):
    """Channels leave in rounds, and the network is trained after each.

    Attributes:
        removed: share of the parameters that is gone after the last round.
        rounds: how many; each takes the same share of what is there.
        steps: of training, all rounds together.
    """

    do: Literal["prune"]
    removed: Annotated[float, Field(gt=0, lt=1)]
    rounds: Annotated[int, Field(ge=1, le=100)]
    steps: Steps


class Assistant(FileModel):
    """A network between teacher and student learns first, and labels the windows for it.

    Mirzadeh et al. 2020 (arXiv 1902.03393).

    Attributes:
        arch: `published:NAME`; it reads acceleration where the student does.
    """

    do: Literal["assistant"]
    arch: str
    steps: Steps

    @property
    def network(self) -> Arch:
        """The assistant."""
        return published(self.arch.removeprefix(PUBLISHED_PREFIX))


class BornAgain(FileModel):
    """The network labels the windows, and one like it starts from random weights.

    Furlanello et al. 2018 (arXiv 1805.04770).

    Attributes:
        steps: of training of each.
    """

    do: Literal["born-again"]
    generations: Annotated[int, Field(ge=1, le=10)]
    steps: Steps


class Quantise(FileModel):
    """Float to integers: the last stage.

    Attributes:
        how: `aware` trains on with simulated integers, `post-training` takes the weights as they
            are; both find the ranges of the activations on training windows.
    """

    do: Literal["quantise"]
    how: Literal["aware", "post-training"]


Stage = Annotated[Train | Prune | Assistant | BornAgain | Quantise, Field(discriminator="do")]


class Recipe(FileModel):
    """The stages in order."""

    stages: tuple[Stage, ...]

    @property
    def float_steps(self) -> float:
        """Of a whole training, in those of an effort."""
        return sum(
            stage.steps * (stage.generations if stage.do == "born-again" else 1)
            for stage in self.stages
            if stage.do != "quantise"
        )

    @property
    def simulates(self) -> bool:
        """Whether it trains with simulated integers."""
        return any(stage.do == "quantise" and stage.how == "aware" for stage in self.stages)

    @property
    def rates_hz(self) -> set[int]:
        """Rates at which the assistants read their windows."""
        return {s.network.rate_hz for s in self.stages if s.do == "assistant"}


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in RECIPES_DIR.glob("*.toml"))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A recipe by its name, or from a file of one's own.

    Raises:
        SpaceError: neither; or the file is malformed, with the first mistake.
    """
    path = named_file(
        "recipe",
        name_or_path,
        RECIPES_DIR,
        recipe_names(),
        otherwise="Or give the path of a .toml file.",
        refusal=SpaceError,
    )
    recipe = read_as(path, Recipe, help_text=HELP, refusal=SpaceError)
    for stage in recipe.stages:
        if stage.do == "assistant":
            try:
                _ = stage.network
            except SpaceError as error:
                raise SpaceError(f"{path}: an assistant's {error}") from error
    order = [stage.do for stage in recipe.stages]
    if order[-1:] != ["quantise"] or order.count("quantise") > 1:
        raise SpaceError(
            f"{path}: the stages are {', '.join(order) or 'none'}; the last one, and no other, "
            f"must quantise. {HELP}"
        )
    if next(name for name in order if name != "assistant") != "train":
        raise SpaceError(
            f"{path}: the stages are {', '.join(order)}; a network must train before anything "
            f"but an assistant's training. {HELP}"
        )
    return recipe


@lru_cache(maxsize=1)
def direct() -> Recipe:
    """Float training, then quantisation-aware training: what is done unless asked otherwise."""
    return load_recipe("direct")
