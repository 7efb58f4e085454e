"""What a network is to run on, and how often."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from hwmodels.arena import Held
from hwmodels.boards import Board, load_board
from hwmodels.costs import Costing, Costs, costing
from hwmodels.engines.engine import Engine
from hwmodels.engines.load import load_engine
from hwmodels.graph import Graph
from hwmodels.path import USUAL, Surroundings
from hwmodels.scorecard import Scorecard, score
from hwmodels.sensors import MOST
from nas.run.card import ModelFile
from nas.run.units import parse_mw
from ppgnas.errors import BudgetError
from ppgnas.parsing import refuse_idle
from ppgnas.task import PPG, TASK, Mode, Task
from search_spaces.arch import Arch
from search_spaces.chain import chain
from search_spaces.lower import lower


@dataclass(frozen=True)
class Target:
    """Board, engine, duty cycle and mode, as one function from an architecture to its costs.

    Attributes:
        mode: whether it computes each window anew, or what is new.
        around: sensors and smoothing of the device; None costs networks alone.
        path_counts: whether costs hold what stands around a network; a scorecard shows it beside.
    """

    board: Board
    engine: Engine
    period_s: float
    mode: Mode = "window"
    around: Surroundings | None = None
    path_counts: bool = True

    @property
    def file(self) -> ModelFile:
        """What the engine runs: the generated C, or the TFLite file."""
        return "model.c" if self.engine.kind == "program" else "model.tflite"

    @cached_property
    def _costing(self) -> Costing:
        return costing(
            self.board,
            self.engine,
            period_s=self.period_s,
            mode=self.mode,
            around=self.around if self.path_counts else None,
        )

    def costs(self, arch: Arch) -> Costs:
        """Costs of an architecture, without bounds."""
        program = self.engine.kind == "program"
        return self._costing(chain(arch, self.mode) if program else lower(arch))

    def score(
        self, graph: Graph, *, file_bytes: int | None = None, held: Held | None = None
    ) -> Scorecard:
        """The scorecard of a graph; `file_bytes` of its TFLite file where there is one, and what
        an interpreter holds of it where it is another's."""
        return score(
            graph,
            self.board,
            self.engine,
            period_s=self.period_s,
            file_bytes=file_bytes,
            held=held,
            mode=self.mode,
            around=self.around,
            path_counts=self.path_counts,
        )


def load_target(
    board: str,
    engine: str,
    *,
    period_s: float | None = None,
    mode: Mode = "window",
    around: Surroundings | None = None,
    path_counts: bool = True,
    task: Task = TASK,
) -> Target:
    """Read a board and an engine by name or path.

    Args:
        period_s: see `Target`; a stride of the task unless given.
        mode, around, path_counts: see `Target`.

    Raises:
        BoardError: unknown, malformed, or the engine does not run on the board or in this mode.
        BudgetError: a period that a stream does not have.
    """
    period_s = float(task.stride_s) if period_s is None else period_s
    target = Target(load_board(board), load_engine(engine), period_s, mode, around, path_counts)
    target.engine.check(target.board)
    target.engine.check_mode(mode)
    check_period(period_s, mode, task)
    return target


def check_period(period_s: float, mode: Mode, task: Task = TASK) -> None:
    """Refuse a time from one reading to the next that is none, or none of a network that streams.

    Raises:
        BudgetError: it is not above 0 and finite, or, in streaming, not that of its blocks.
    """
    if not 0 < period_s < math.inf:
        raise BudgetError(f"`rate` is {period_s:g} s; it must be above 0 and finite")
    if mode == "streaming" and period_s != task.stride_s:
        raise BudgetError(
            f"`rate` is {period_s:g} s, and a network that streams gives a reading every "
            f"{task.stride_s} s; leave `rate` out, or choose `mode` window"
        )


_AS_THEY_ARE = ("ppg_hz", "acc_hz", "ppg_channels", "smoothing")
_POWERS = ("ppg_sensor", "accelerometer")
AROUND = (*_AS_THEY_ARE, *_POWERS)  # arguments that say what stands around a network


def take_surroundings(
    values: dict[str, Any], base: Surroundings | None = None, *, inputs: str | None = None
) -> Surroundings:
    """Read the arguments that say what stands around a network, and take them out.

    Args:
        values: arguments by name, those of `AROUND` that were given among them; powers as text.
        base: what holds where an argument was not given.
        inputs: of `ppgnas.task.INPUTS`, what the networks read; None where it is not decided.

    Raises:
        BudgetError: a value that is not allowed.
        OptionError: the networks read PPG alone, and something is said of the accelerometer.
    """
    if inputs == PPG:
        of_acc = {name: values.get(name) for name in ("acc_hz", "accelerometer")}
        refuse_idle("the network reads PPG alone", **of_acc)
    given: dict[str, Any] = {name: values.pop(name) for name in _AS_THEY_ARE if name in values}
    for name in _POWERS:
        if name in values:
            given[f"{name}_mw"] = power_mw = parse_mw(values.pop(name), name=name)
            if power_mw > MOST["power"]:
                raise BudgetError(
                    f"`{name}` is {power_mw:g} mW; allowed: up to {MOST['power']:g} mW, as no "
                    "sensor of a wrist draws more. Correct the unit"
                )
    return replace(base or USUAL, **given)
