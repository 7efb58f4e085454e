"""What every engine and every board stands on: timed, emulated, carried over or assumed."""

from __future__ import annotations

from dataclasses import dataclass

from hwmodels.boards import board_names, load_board
from hwmodels.engines.engine import Engine
from hwmodels.engines.load import engine_names, engines_for, load_engine

EMULATED = ("ppgnas-c", "tflm-cmsis-nn-99f736a")


@dataclass(frozen=True)
class EngineEvidence:
    """One engine.

    Attributes:
        cores: core -> `timed`, `emulated`, or carried over `by ratio`.
    """

    name: str
    version: str
    cores: dict[str, str]


@dataclass(frozen=True)
class BoardEvidence:
    """One board.

    Attributes:
        sourced, assumed: how many of its figures have a source, and which have none.
    """

    name: str
    core: str
    engines: list[str]
    sourced: int
    assumed: list[str]


def of_engines() -> list[EngineEvidence]:
    """All engines that come with the project."""
    found = []
    for name in engine_names():
        engine = load_engine(name)
        cores = {core: _of_core(engine, core) for core in engine.cores}
        found.append(EngineEvidence(name, engine.version, cores))
    return found


def _of_core(engine: Engine, core: str) -> str:
    own = [p for p in engine.profiles if p.core == core]
    if not own or core in engine.carried:
        return "by ratio"
    return "emulated" if engine.name in EMULATED else "timed"


def of_boards() -> list[BoardEvidence]:
    """All boards that come with the project."""
    found = []
    for name in board_names():
        board = load_board(name)
        assumed = board.assumptions
        found.append(
            BoardEvidence(
                name,
                board.core,
                engines_for(board),
                len(board.sources) - len(assumed),
                [key for key in assumed if not key.startswith("clocks.")],
            )
        )
    return found
