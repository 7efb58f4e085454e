"""Figures of one published network against values worked out by hand."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import pytest

from search_spaces.figures import ArchFigures, figures, figures_matrix
from search_spaces.published import published

NAME = "timeppg-small"


def test_the_figures_of_timeppg_by_hand() -> None:
    """16 Hz, a stem of 8 channels and 5 taps, two blocks each of 8, 16, 16 channels, 5 taps.

    The first block of each stage halves time and is not dilated, the second is, by 2, 4, 8.
    Weights without biases: those of the docstring less one bias for each channel and class.
    """
    # taps reach (5 - 1) * dilation * steps of the input between two of the layer's own
    reach = 5 + 4 * (1 * 1 + 2 * 2) + 4 * (1 * 2 + 4 * 4) + 4 * (1 * 4 + 8 * 8)
    channels = 8 + (8 + 8) + (8 + 8) + (8 + 16) + (16 + 16) + (16 + 16) + (16 + 16)
    mean_width = (2 * 8 + 2 * 16 + 2 * 16) / 6
    assert asdict(figures(published(NAME))) == pytest.approx(
        asdict(
            ArchFigures(
                macs=math.log2(63_552),
                weights=math.log2(4_764 - 180 - channels),
                reach_s=math.log2(reach / 16),
                rate_hz=4.0,
                acceleration=1.0,
                stride=3.0,
                dilation=1 + 2 + 3,
                kernel=5.0,
                depth=6.0,
                width=math.log2(mean_width),
                last_width=4.0,
                expansion=0.0,
                residual=0.0,
                stem=3.0,
                neck=0.0,
                spacing=0.0,
                max_pooling=0.0,
                pool_s=3.0,
                window_s=3.0,
            )
        )
    )


def test_what_is_changed_shows_in_its_figure_alone() -> None:
    base = published(NAME)
    before = asdict(figures(base))
    after = asdict(figures(replace(base, pooling="max")))
    assert {name for name in before if before[name] != after[name]} == {"max_pooling"}
    assert figures(replace(base, acceleration=False)).acceleration == 0.0


def test_a_stem_that_skips_reaches_further() -> None:
    """At 64 Hz it takes every fourth step: the same seconds but for the stem's own taps."""
    slow, fast = figures(published(NAME)), figures(replace(published(NAME), rate_hz=64))
    reach = 4 * 4 * (5 + 18 + 68)
    assert fast.reach_s == pytest.approx(math.log2((5 + reach) / 64))
    assert slow.reach_s - fast.reach_s == pytest.approx(math.log2((20 + reach) / (5 + reach)))


def test_rows_of_the_matrix_are_the_fields_in_order() -> None:
    both = [published(NAME), published("kd-pulse-student")]
    matrix = figures_matrix(both)
    assert matrix.tolist() == [list(asdict(figures(arch)).values()) for arch in both]
    assert matrix[1, 0] == math.log2(3_250_288)
