"""How much training each finalist gets."""

from __future__ import annotations

import pytest

from distill.training.effort import (
    EACH_STEP_VALUES,
    EFFORTS,
    LARGE_VALUES,
    MOST_TIMES,
    SMALL_VALUES,
    share_of,
)
from search_spaces.arch import Arch, StageArch
from search_spaces.plan import plan
from search_spaces.published import LARGE, MEDIUM, SMALL


def test_small_finalists_get_more_steps_and_large_ones_fewer() -> None:
    effort = EFFORTS["standard"]
    for middle in (SMALL_VALUES, LARGE_VALUES):
        assert effort.of_finalist(middle) == effort
    large = effort.of_finalist(2 * LARGE_VALUES + EACH_STEP_VALUES)  # a step takes twice as long
    assert large.finetune_steps == round(effort.finetune_steps / 2)
    assert large.qat_steps == round(effort.qat_steps / 2)
    assert (large.batch, large.teacher_steps) == (effort.batch, effort.teacher_steps)
    small = effort.of_finalist(11_000)
    assert small.finetune_steps == round(effort.finetune_steps * 28_000 / 21_000)
    assert effort.of_finalist(1).finetune_steps == MOST_TIMES * effort.finetune_steps


def test_our_own_networks() -> None:
    shares = [share_of(plan(arch).values) for arch in (SMALL, MEDIUM, LARGE)]
    assert shares == pytest.approx([1.17, 1.0, 0.99], abs=0.01)


def test_values_of_a_network_by_hand() -> None:
    """A stem of 4 channels over 128 steps; a block that expands to 8 and puts out 6 of 64."""
    stage = StageArch(1, 6, 3, 1, 2, 2, False)
    arch = Arch(False, 16, 4, 5, (stage,), "avg", 0)
    assert plan(arch).values == 4 * 128 + (8 + 8 + 6) * 64
    assert plan(arch).values == pytest.approx(1920)
