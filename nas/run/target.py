"""What a network is to run on, and how often."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hwmodels.boards import Board, load_board
from hwmodels.costs import Costs, costs_many
from hwmodels.engines.engine import Engine
from hwmodels.engines.load import load_engine
from nas.run.card import ModelFile
from ppgnas.task import Mode
from search_spaces.arch import Arch
from search_spaces.lower import lower


@dataclass(frozen=True)
class Target:
    """Board, engine, duty cycle and mode, as one function from an architecture to its costs."""

    board: Board
    engine: Engine
    period_s: float
    mode: Mode = "window"

    @property
    def file(self) -> ModelFile:
        """What the engine runs: the generated C, or the TFLite file."""
        return "model.c" if self.engine.kind == "program" else "model.tflite"

    def costs(self, arch: Arch) -> Costs:
        """Costs of an architecture, without bounds."""
        return self.costs_many((arch,))[0]

    def costs_many(self, archs: Iterable[Arch]) -> list[Costs]:
        """The same of several; graphs live one at a time."""
        graphs = map(lower, archs)
        return costs_many(graphs, self.board, self.engine, period_s=self.period_s, mode=self.mode)


def load_target(
    board: str, engine: str, *, period_s: float = 2.0, mode: Mode = "window"
) -> Target:
    """Read a board and an engine by name or path.

    Raises:
        BoardError: unknown, malformed, or the engine does not run on the board or in this mode.
    """
    target = Target(load_board(board), load_engine(engine), period_s, mode)
    target.engine.check(target.board)
    target.engine.check_mode(mode)
    return target
