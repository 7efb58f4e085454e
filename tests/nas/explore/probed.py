"""Studies whose networks are judged by a formula."""

from __future__ import annotations

from functools import lru_cache

from nas.explore.problem import Probe, probe
from nas.run.config import Budgets, Objective
from nas.run.target import Target, load_target
from search_spaces.space import SearchSpace

OBJECTIVES: tuple[Objective, ...] = ("mae", "latency", "sram")
TARGET: Target = load_target("stm32h743", "tflm-cmsis-nn")
cost_of = lru_cache(maxsize=None)(TARGET.costs)
TINY = SearchSpace.preset("tiny")
DEFAULT = SearchSpace.preset("default")


def probed(
    space: SearchSpace = DEFAULT,
    *,
    budgets: Budgets | None = None,
    objectives: tuple[Objective, ...] = OBJECTIVES,
) -> Probe:
    return probe(
        space,
        cost_of,
        budgets=budgets or Budgets(flash_bytes=80 * 1024),
        objectives=objectives,
        board=TARGET.board,
    )
