"""Networks of a space that are like another network: the nearest, and those one choice away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from search_spaces.arch import Arch
from search_spaces.space import Choice, SearchSpace
from search_spaces.stages import ABSENT, at_task, named_choices


def nearest(space: SearchSpace, arch: Arch) -> tuple[Arch, int] | None:
    """The network of `space` that is most like `arch`, whose stages may be fewer.

    Returns:
        It, and how many of its choices are others: 0 where the space holds `arch`, or would with
        windows and classes of its own. None where `arch` has more stages than the space.
    """
    arch = at_task(arch, space.task)
    missing = len(space.stages) - len(arch.stages)
    if missing < 0:
        return None
    asked = named_choices(replace(arch, stages=(*arch.stages, *[ABSENT] * missing)))
    found = space.build({n: _closest(asked[n], of) for n, of in space.dimensions.items()})
    return found, sum(asked[name] != value for name, value in named_choices(found).items())


def holds(space: SearchSpace, arch: Arch) -> bool:
    """Whether choices of `space` make `arch`."""
    if len(arch.stages) != len(space.stages):
        return False
    choices = space.choices_of(arch)
    allowed = all(value in space.dimensions[name] for name, value in choices.items())
    return allowed and space.build(choices) == arch


def neighbours(space: SearchSpace, arch: Arch) -> Iterator[Arch]:
    """The networks that one other choice makes of `arch`, which is of the space."""
    choices = space.choices_of(arch)
    for name, values in space.dimensions.items():
        for value in values:
            if value != choices[name]:
                yield space.build({**choices, name: value})


def _closest(value: Choice, allowed: Sequence[Choice]) -> Choice:
    """The choice that `value` is, or the nearest number, or the first of what is no number."""
    if value in allowed or isinstance(value, str):
        return value if value in allowed else allowed[0]
    return min(allowed, key=lambda choice: (abs(int(choice) - int(value)), choice))
