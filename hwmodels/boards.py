"""Boards: clock, core, memories and power states of a microcontroller, each with its source.

A board is named by its part in lower case (`stm32h743`), or by the path of a TOML file; the files
that come with the project stand in `hwmodels/boards/`. A board knows nothing of engines.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hwmodels.estimate import Estimate
from hwmodels.figures import UNITS, Figure, explain, in_unit
from hwmodels.toml_file import read_toml
from ppgnas.errors import BoardError

DEFAULT_BOARD = "stm32h743"
BOARDS_DIR = Path(__file__).parent / "boards"

_HELP = (
    'A figure reads { value = 480, unit = "MHz", source = "..." } with optional low and high, in '
    f"the units {', '.join(unit for units in UNITS.values() for unit in units)}; copy "
    f"{DEFAULT_BOARD}.toml and change it"
)


@dataclass(frozen=True)
class Board:
    """A microcontroller at one clock and supply.

    Attributes:
        name: the part in lower case.
        part, core: as the vendor writes them.
        clock_hz: clock of the core while it computes.
        flash_bytes, sram_bytes: what the part holds.
        core_ratio: cycles relative to a Cortex-M7 that runs the same kernels.
        active_mw: power while the network runs.
        sleep_mw: power between readings, memory kept.
        sources: figure -> where it comes from.
    """

    name: str
    part: str
    core: str
    clock_hz: float
    flash_bytes: int
    sram_bytes: int
    core_ratio: Estimate
    active_mw: Estimate
    sleep_mw: Estimate
    sources: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Figures without a source."""
        return tuple(
            key for key, text in self.sources.items() if text.lower().startswith("assumption")
        )


class _BoardFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    part: str = Field(min_length=1)
    core: str = Field(min_length=1)
    clock: Figure
    flash: Figure
    sram: Figure
    core_ratio: Figure
    active_power: Figure
    sleep_power: Figure


_KINDS = {
    "clock": "clock",
    "flash": "memory",
    "sram": "memory",
    "core_ratio": "ratio",
    "active_power": "power",
    "sleep_power": "power",
}


def board_names() -> tuple[str, ...]:
    """Names of the boards that come with the project, the default first."""
    names = sorted(path.stem for path in BOARDS_DIR.glob("*.toml"))
    return (DEFAULT_BOARD, *(name for name in names if name != DEFAULT_BOARD))


def load_board(name_or_path: str | Path) -> Board:
    """A board by name, or from a TOML file.

    Args:
        name_or_path: `stm32h743`, or a path (it ends in `.toml` or holds a separator).

    Raises:
        BoardError: an unknown name, or a file with a missing, negative or unit-less figure.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        return read_board(Path(text))
    names = board_names()
    if text.lower() not in names:
        close = difflib.get_close_matches(text.lower(), names, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise BoardError(
            f"board {text!r} is unknown; known boards: {', '.join(names)}.{hint} "
            "Another board is given by the path of its TOML file"
        )
    return read_board(BOARDS_DIR / f"{text.lower()}.toml")


def read_board(path: Path) -> Board:
    """Read and check one board file.

    Raises:
        BoardError: names the file, the key and what is allowed.
    """
    document = read_toml(path)
    try:
        file = _BoardFile.model_validate(document)
    except ValidationError as error:
        raise explain(error, path, _HELP) from error
    figures: dict[str, Figure] = {key: getattr(file, key) for key in _KINDS}
    values = {
        key: in_unit(figure, _KINDS[key], where=f"{path}: {key}")
        for key, figure in figures.items()
    }
    return Board(
        name=path.stem,
        part=file.part,
        core=file.core,
        clock_hz=values["clock"].value,
        flash_bytes=round(values["flash"].value),
        sram_bytes=round(values["sram"].value),
        core_ratio=values["core_ratio"],
        active_mw=values["active_power"],
        sleep_mw=values["sleep_power"],
        sources={key: figure.source for key, figure in figures.items()},
    )
