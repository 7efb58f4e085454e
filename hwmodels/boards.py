"""Boards: clock, core, memories and power states of a microcontroller, each with its source.

A board is named by its part in lower case (`stm32h743`), or by the path of a TOML file; the files
that come with the project stand in `hwmodels/boards/`. A board knows nothing of engines.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from pydantic import Field

from hwmodels.estimate import Estimate
from hwmodels.figures import UNITS, Figure, in_unit
from hwmodels.sensors import Sensors, SensorsFile, sensors_of, usual_sensors
from ppgnas.defaults import DEFAULT_BOARD
from ppgnas.errors import BoardError
from ppgnas.files import text_of
from ppgnas.parsing import listed
from ppgnas.toml_file import FileModel, named_file, read_as

LOWEST_HZ = 32e3  # of a watch's crystal; cores that compute run above it
# No microcontroller runs faster, and no core was seen beyond 0.1 to 10 times a Cortex-M7's cycles.
HIGHEST_HZ = 2e9
MOST_MW = 10_000.0  # nor draws so much, and is given
LEAST_BYTES = 1024  # of memory; parts with a Cortex-M have more
MOST_BYTES = 2.0**27  # of memory, with a chip of flash beside it
MOST_WAITS = 15  # that a flash controller can be told, by four bits
RATIOS = (0.01, 100.0)
BOARDS_DIR = Path(__file__).parent / "boards"
_BLANK = BOARDS_DIR.parent / "data" / "new_board.toml"

# What vendors add to the name of a core, and what changes nothing of int8 kernels.
_EXTENSIONS = (
    r"(?:[^\w+]+(?:\+\W*)?(?:with|and|incl\w*|an?|optional|single|double|precision|fpu?|dsp|mpu|"
    r"mve|helium|trustzone|core|processor|cpu|mcu|32|bit)\b)+\W*$"
)
_HELP = (
    'A figure reads { value = 480, unit = "MHz", source = "..." } with optional low and high, in '
    f"the units {', '.join(unit for units in UNITS.values() for unit in units)}; "
    "`ppgnas boards new NAME` writes a board file to fill in"
)


@dataclass(frozen=True)
class ClockSetting:
    """A clock below the board's own and the power while a network runs at it."""

    clock_hz: float
    active_mw: Estimate


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
        clock_limit_hz: what the part can run at; None where it is not stated.
        memories: region of SRAM -> bytes.
        instruction_cache_bytes, data_cache_bytes: None where not stated.
        flash_wait_states: at `clock_hz`; None where not stated.
        clocks: lower settings, the fastest first.
        sleep_states: state -> power; `sleep_mw` is the one that the averages use.
        sensors: what they draw; the usual ones where the file says nothing of them.
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
    clock_limit_hz: float | None = None
    memories: dict[str, int] = field(default_factory=dict)
    instruction_cache_bytes: int | None = None
    data_cache_bytes: int | None = None
    flash_wait_states: int | None = None
    clocks: tuple[ClockSetting, ...] = ()
    sleep_states: dict[str, Estimate] = field(default_factory=dict)
    sensors: Sensors = field(default_factory=usual_sensors)
    sources: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Figures without a source."""
        return tuple(
            key for key, text in self.sources.items() if text.lower().startswith("assumption")
        )

    def to_json(self) -> dict[str, Any]:
        """The document of `ppgnas boards show --json`."""
        document = {**asdict(self), "clocks": [asdict(setting) for setting in self.clocks]}
        sources = document.pop("sources")
        return {**document, "assumptions": list(self.assumptions), "sources": sources}


class _ClockFile(FileModel):
    clock: Figure
    active_power: Figure


class _BoardFile(FileModel):
    part: str = Field(min_length=1)
    core: str = Field(min_length=1)
    clock: Figure
    flash: Figure
    sram: Figure
    core_ratio: Figure
    active_power: Figure
    sleep_power: Figure
    clock_limit: Figure | None = None
    flash_wait_states: Figure | None = None
    instruction_cache: Figure | None = None
    data_cache: Figure | None = None
    memory: dict[str, Figure] = Field(default_factory=dict)
    clocks: list[_ClockFile] = Field(default_factory=list)
    sleep: dict[str, Figure] = Field(default_factory=dict)
    sensors: SensorsFile | None = None
    other_cores: list[str] = Field(default_factory=list)  # of the part, beside the one costed


_KINDS = {
    "clock": "clock", "flash": "memory", "sram": "memory", "core_ratio": "ratio",
    "active_power": "power", "sleep_power": "power",
    # These may be left out.
    "clock_limit": "clock", "flash_wait_states": "wait", "instruction_cache": "memory",
    "data_cache": "memory",
}  # fmt: skip
_MAY_BE_NONE = ("flash_wait_states", "instruction_cache", "data_cache")


def board_names() -> tuple[str, ...]:
    """Names of the boards that come with the project, the default first."""
    names = sorted(path.stem for path in BOARDS_DIR.glob("*.toml"))
    return (DEFAULT_BOARD, *(name for name in names if name != DEFAULT_BOARD))


def boards_of(text: str) -> tuple[str, ...]:
    """Names or paths of boards from `nrf5340,my_board.toml`.

    Raises:
        BoardError: one is empty or there twice.
    """

    def plain(name: str) -> str:
        return name.lower() if name.lower() in board_names() else name

    return listed(
        "board", text, BoardError, example="nrf5340,stm32u585", allowed="boards", read=plain
    )


def load_board(name_or_path: str | Path) -> Board:
    """A board by name, or from a TOML file.

    Args:
        name_or_path: `stm32h743`, or a path (it ends in `.toml` or holds a separator).

    Raises:
        BoardError: an unknown name, several names, or a file with a missing, negative or unit-less
            figure.
    """
    several = str(name_or_path).split(",")
    if len(several) > 1 and all(name.strip() in board_names() for name in several):
        raise BoardError(
            f"board {str(name_or_path)!r} is {len(several)} boards; only search and rescore "
            f"take several. Name one, and ask again for the others: {several[0].strip()}"
        )
    otherwise = "Another board is given by the path of its TOML file"
    path = named_file("board", name_or_path, BOARDS_DIR, board_names(), otherwise=otherwise)
    return _ours(path) if path.parent == BOARDS_DIR else read_board(path)


@cache
def _ours(path: Path) -> Board:
    return read_board(path)


def read_board(path: Path) -> Board:
    """Read and check one board file.

    Raises:
        BoardError: names the file, the key and what is allowed.
    """
    file = read_as(path, _BoardFile, help_text=_HELP)
    figures = {key: (getattr(file, key), kind) for key, kind in _KINDS.items()}
    figures |= {f"memory.{key}": (figure, "memory") for key, figure in file.memory.items()}
    figures |= {f"sleep.{key}": (figure, "power") for key, figure in file.sleep.items()}
    for number, setting in enumerate(file.clocks, start=1):
        figures[f"clocks.{number}.clock"] = (setting.clock, "clock")
        figures[f"clocks.{number}.active_power"] = (setting.active_power, "power")
    given = {key: (figure, kind) for key, (figure, kind) in figures.items() if figure is not None}
    values = {
        key: in_unit(figure, kind, where=f"{path}: {key}", none=key in _MAY_BE_NONE)
        for key, (figure, kind) in given.items()
    }
    settings = [
        ClockSetting(values[f"clocks.{n}.clock"].value, values[f"clocks.{n}.active_power"])
        for n in range(1, len(file.clocks) + 1)
    ]
    known = _known(file.part)
    if known is not None:
        _check_core(path, file, known)
    limit = file.clock_limit or (None if known is None else known.clock_limit)
    where = f"{path}: clock_limit"
    limit_hz = None if limit is None else in_unit(limit, "clock", where=where).value
    _check_clocks(path, values["clock"].value, settings, limit_hz, file.part)
    _check_power(path, values)
    for key in ("flash", "sram"):
        if not LEAST_BYTES <= values[key].value <= MOST_BYTES:
            raise BoardError(
                f"{path}: {key} is {values[key].value:g} B; allowed: {LEAST_BYTES} B to "
                f"{MOST_BYTES / 2**20:g} MiB. Correct the unit"
            )
    waits = values.get("flash_wait_states", Estimate.exact(0)).value
    if waits > MOST_WAITS or waits != round(waits):
        raise BoardError(
            f"{path}: flash_wait_states is {waits:g} cycles; allowed: whole ones, 0 to "
            f"{MOST_WAITS}. Give what the flash controller is set to"
        )
    if not RATIOS[0] <= values["core_ratio"].value <= RATIOS[1]:
        raise BoardError(
            f"{path}: core_ratio is {values['core_ratio'].value:g} x Cortex-M7; allowed: "
            f"{RATIOS[0]:g} to {RATIOS[1]:g}. Give cycles over those of a Cortex-M7 with the same "
            "kernels, not times"
        )
    memories = {key: round(values[f"memory.{key}"].value) for key in file.memory}
    if sum(memories.values()) > values["sram"].value:
        raise BoardError(
            f"{path}: memory holds {sum(memories.values())} B, sram is "
            f"{values['sram'].value:.0f} B; the regions must not exceed the total. Correct one"
        )
    sources = {key: figure.source for key, (figure, _) in given.items()}
    sources |= {f"sensors.{key}": figure.source for key, figure in file.sensors or ()}
    return Board(
        name=path.stem,
        part=(known or file).part,
        core=core_name(file.core),
        clock_hz=values["clock"].value,
        flash_bytes=round(values["flash"].value),
        sram_bytes=round(values["sram"].value),
        core_ratio=values["core_ratio"],
        active_mw=values["active_power"],
        sleep_mw=values["sleep_power"],
        clock_limit_hz=limit_hz,
        memories=memories,
        instruction_cache_bytes=_whole(values.get("instruction_cache")),
        data_cache_bytes=_whole(values.get("data_cache")),
        flash_wait_states=_whole(values.get("flash_wait_states")),
        clocks=tuple(sorted(settings, key=lambda setting: -setting.clock_hz)),
        sleep_states={key: values[f"sleep.{key}"] for key in file.sleep},
        sensors=usual_sensors() if file.sensors is None else sensors_of(file.sensors, path),
        sources=sources,
    )


def core_name(text: str) -> str:
    """A core by the name that engines know it by, of what vendors call it.

    int8 kernels use no floating point and no atomic instructions, so a core with or without these
    is one.
    """
    text = re.sub(_EXTENSIONS, "", text.strip(), flags=re.IGNORECASE)
    core = r"(?:32.?bit\W*)?(?:arm)?\W*(?:cortex\W*|c|)m(\d+)(\+|plus|p|)f?"
    if found := re.fullmatch(core, text, re.IGNORECASE):
        number, kind = found.groups()
        last = {"0": "+" if kind else "", "4": "F"}.get(number, kind.upper())
        return f"Cortex-M{number}{last}"
    if re.fullmatch(r"(?:risc\W*v)?\W*rv32(?:ima?f?d?c|gc)(?:_\w+)?", text, re.IGNORECASE):
        return "RISC-V RV32IMC"
    if found := re.fullmatch(r"(?:xtensa\W*)?lx(\d+)", text, re.IGNORECASE):
        return f"Xtensa LX{found[1]}"
    return text


def _whole(estimate: Estimate | None) -> int | None:
    return None if estimate is None else round(estimate.value)


def _known(part: str) -> _BoardFile | None:
    """The same part among the boards that come with the project.

    A part may be named by what is ordered: `STM32H743ZIT6` is an `stm32h743`.
    """
    names = [name for name in board_names() if part.lower().startswith(name)]
    if not names:
        return None
    return read_as(BOARDS_DIR / f"{max(names, key=len)}.toml", _BoardFile, help_text=_HELP)


def _check_core(path: Path, file: _BoardFile, known: _BoardFile) -> None:
    cores = [core_name(core) for core in (known.core, *known.other_cores)]
    if core_name(file.core) not in cores:
        raise BoardError(
            f"{path}: core is {file.core}; {file.part} has a {' and a '.join(cores)}. Correct "
            "part or core"
        )


def _check_clocks(
    path: Path, clock_hz: float, settings: list[ClockSetting], limit_hz: float | None, part: str
) -> None:
    clocks = {"clock": clock_hz}
    clocks |= {f"clocks.{n}.clock": s.clock_hz for n, s in enumerate(settings, start=1)}
    for key, value in clocks.items():
        if value < LOWEST_HZ:
            raise BoardError(
                f"{path}: {key} is {value:g} Hz; no core computes below {LOWEST_HZ:g} Hz, the "
                "clock of a watch. Correct the unit, or give the clock at which the network runs"
            )
        if value > HIGHEST_HZ:
            raise BoardError(
                f"{path}: {key} is {value / 1e6:g} MHz; no microcontroller runs above "
                f"{HIGHEST_HZ / 1e6:g} MHz. Correct the unit"
            )
        if limit_hz is not None and value > limit_hz * (1 + 1e-9):
            raise BoardError(
                f"{path}: {key} is {value / 1e6:g} MHz; {part} runs at up to "
                f"{limit_hz / 1e6:g} MHz. Lower it, or correct clock_limit"
            )
        if value > clock_hz:
            raise BoardError(
                f"{path}: {key} is {value / 1e6:g} MHz, above the board's own "
                f"{clock_hz / 1e6:g} MHz; clocks lists the lower settings. Raise clock instead"
            )


def _check_power(path: Path, values: dict[str, Estimate]) -> None:
    """A lower clock draws no more; and sleep less than any, as the average lies between."""
    active_mw = values["active_power"]
    if active_mw.high > MOST_MW:
        raise BoardError(
            f"{path}: active_power is {_up_to(active_mw, MOST_MW)} mW; no microcontroller draws "
            f"above {MOST_MW:g} mW. Correct the unit"
        )
    for key in values:
        slower = key.startswith("clocks.") and key.endswith("active_power")
        if slower and values[key].value > active_mw.value:
            raise BoardError(
                f"{path}: {key} is {values[key].value:g} mW, above active_power of "
                f"{active_mw.value:g} mW at the board's own clock; a lower clock draws less. "
                "Correct one, or its unit"
            )
    pairs = [("sleep_power", key) for key in values if key.endswith("active_power")]
    pairs += [(key, "active_power") for key in values if key.startswith("sleep.")]
    for sleep, active in pairs:
        least_mw = values[active].value
        if values[sleep].high > least_mw:
            raise BoardError(
                f"{path}: {sleep} is {_up_to(values[sleep], least_mw)} mW, above {active} of "
                f"{least_mw:g} mW; a core that sleeps draws less than one that computes. Correct "
                "one, its bounds or its unit"
            )


def _up_to(figure: Estimate, most: float) -> str:
    """What of a figure is above a bound: it, or its upper end."""
    return f"{figure.value:g}" if figure.value > most else f"up to {figure.high:g}"


def template(name: str) -> str:
    """A commented board file to fill in: what every key means and what is allowed.

    Of a board that comes with the project it is its file, to be changed.
    """
    if name.lower() in board_names():
        return text_of(BOARDS_DIR / f"{name.lower()}.toml")
    return Template(_BLANK.read_text(encoding="utf-8")).substitute(part=name.upper())


def unfilled(path: Path) -> tuple[str, ...]:
    """Figures of a board file that are still those that `template` asks to fill in."""
    file, blank = (read_as(each, _BoardFile, help_text=_HELP) for each in (path, _BLANK))
    pairs = {key: (getattr(file, key), getattr(blank, key)) for key in _KINDS}
    return tuple(
        key
        for key, (own, none) in pairs.items()
        if none and none.source.endswith("fill in") and own == none
    )
