"""How much training each finalist gets."""

from __future__ import annotations

from distill.training.effort import EFFORTS, FULL_STEPS_MACS


def test_small_finalists_get_all_steps_and_large_ones_fewer() -> None:
    effort = EFFORTS["standard"]
    assert effort.of_finalist(FULL_STEPS_MACS) == effort
    assert effort.of_finalist(1000) == effort
    large = effort.of_finalist(4 * FULL_STEPS_MACS)
    assert large.finetune_steps == round(effort.finetune_steps / 4)
    assert large.qat_steps == round(effort.qat_steps / 4)
    assert (large.batch, large.teacher_steps) == (effort.batch, effort.teacher_steps)
