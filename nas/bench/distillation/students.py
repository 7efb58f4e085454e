"""Students by name: networks of the literature, of one shape in any width, or of a file."""

from __future__ import annotations

from dataclasses import replace

from nas.models.names import ModelError, find_model
from search_spaces.arch import Arch
from search_spaces.published import PUBLISHED, PUBLISHED_PREFIX

WIDTH = "@"
PLAIN = ("mlp", "cornet")
"""See `distill.baselines`."""
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
