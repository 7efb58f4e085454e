"""Networks of the literature in this tool's terms, to be trained and costed like found ones.

They are plain re-implementations, not the authors' networks: size, work and the course of
channels, strides and dilations are followed, the blocks are ours (depthwise separable, causal, 180
classes instead of one regressed value).

`timeppg-small` after Burrello et al. 2022 (arXiv 2203.16339; 4.5-5 k parameters, 62 k MAC): a
temporal convolutional network of few channels whose dilation doubles from block to block while
time is halved. Here full convolutions are separable ones, and 180 classes stand for the dense
layers that regress one value: 4,764 parameters, 63,552 MAC.

`kd-pulse-student` after zenodo 15837349 (27.2 k parameters, 3.38 M MAC): convolutions that keep
nearly all time steps, and attention between the PPG and the acceleration. Here both enter one
trunk without attention: 28,352 parameters, 3,250,288 MAC.

`mobilenet-1d` after Howard et al. 2017 (arXiv 1704.04861): a full convolution, then depthwise
separable ones of three taps without shortcuts, whose channels double where time is halved. Nothing
of it was published for heart rate; it is a plain student as large as `medium`: 6,826 parameters,
233,916 MAC.

`tiny`, `small`, `medium` and `large` (2.5, 4, 7 and 34 KB of weights) are networks of this tool's
own kind, for protocols that need a fixed architecture rather than a search. With `-ppg` behind the
name each of the four reads no acceleration; with `-4s` it pools over the newest 4 s of its window.
"""

from __future__ import annotations

from dataclasses import replace

from ppgnas.errors import SpaceError
from search_spaces.arch import Arch, StageArch

PUBLISHED_PREFIX = "published:"


def _arch(
    rate_hz: int,
    stem: tuple[int, int],
    *stages: tuple[int, int, int, int, int, int, bool],
    head_width: int = 0,
    head_spacing: int = 1,
) -> Arch:
    """With acceleration and an average pool.

    `stem` is its width and kernel, a stage the values of a `StageArch`.
    """
    blocks = tuple(StageArch(*stage) for stage in stages)
    return Arch(True, rate_hz, *stem, blocks, "avg", head_width, head_spacing)


TIMEPPG_SMALL = _arch(
    16, (8, 5), (2, 8, 5, 2, 1, 2, False), (2, 16, 5, 4, 1, 2, False), (2, 16, 5, 8, 1, 2, False)
)
KD_PULSE_STUDENT = _arch(
    16,
    (16, 9),
    (1, 40, 5, 2, 2, 1, False),
    (1, 56, 5, 4, 2, 1, False),
    (1, 64, 5, 8, 2, 1, False),
    head_width=12,
)
MOBILENET_1D = _arch(
    32,
    (8, 9),
    (1, 12, 3, 1, 1, 1, False),
    (1, 24, 3, 1, 1, 2, False),
    (1, 24, 3, 1, 1, 1, False),
    (1, 48, 3, 1, 1, 2, False),
    (1, 48, 3, 1, 1, 1, False),
    head_spacing=6,
)
TINY = _arch(
    16,
    (8, 9),
    (1, 12, 7, 1, 1, 1, False),
    (3, 12, 7, 2, 1, 1, True),
    (1, 20, 7, 4, 1, 1, False),
    head_spacing=9,
)
SMALL = _arch(
    16,
    (10, 9),
    (1, 16, 7, 1, 1, 2, False),
    (3, 16, 7, 2, 1, 1, True),
    (2, 20, 7, 4, 1, 1, True),
    head_spacing=9,
)
MEDIUM = _arch(
    32,
    (12, 9),
    (1, 20, 7, 1, 1, 2, False),
    (3, 24, 7, 2, 1, 1, True),
    (2, 32, 7, 4, 1, 1, True),
    head_spacing=6,
)
LARGE = _arch(32, (24, 9), (2, 24, 7, 1, 2, 2, True), (3, 48, 7, 2, 2, 2, True), head_spacing=5)

OWN = {"tiny": TINY, "small": SMALL, "medium": MEDIUM, "large": LARGE}
PUBLISHED = {
    "timeppg-small": TIMEPPG_SMALL,
    "kd-pulse-student": KD_PULSE_STUDENT,
    "mobilenet-1d": MOBILENET_1D,
    **OWN,
    **{f"{name}-ppg": replace(arch, acceleration=False) for name, arch in OWN.items()},
    **{f"{name}-4s": replace(arch, pool_s=4) for name, arch in OWN.items()},
}


def published(name: str) -> Arch:
    """An architecture by its name.

    Raises:
        SpaceError: there is none of this name.
    """
    if name not in PUBLISHED:
        raise SpaceError(f"network {name!r} is unknown; allowed: {', '.join(PUBLISHED)}")
    return PUBLISHED[name]
