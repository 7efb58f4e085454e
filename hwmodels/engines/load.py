"""Engines: the runtimes that execute a network, with their coefficients.

An engine is `engine_files/NAME.toml` (identity, overheads, memory rules, each with its source) and
the files that `python -m hwmodels.fit` wrote: laws of counted kernels, laws of timed kernels, laws
of ST's tools. `calibrate` writes engine files of its own; they are named by path.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from hwmodels.boards import Board
from hwmodels.engines.engine import Engine, FlashRules, Profile, SramRules
from hwmodels.engines.file import EngineFile, FitFile, StFit, StVersion, TimedFit
from hwmodels.engines.kernels import CLASSES, TIMED
from hwmodels.engines.profiles import (
    REFIT,
    calibrated,
    carried,
    check_features,
    counted_profiles,
    generated_profiles,
    st_memory,
    st_profiles,
    timed_profiles,
)
from hwmodels.engines.st import FEATURES
from hwmodels.estimate import Estimate
from hwmodels.generated_c.law import CLaw
from hwmodels.operators import OPERATORS
from ppgnas.defaults import DEFAULT_ENGINE
from ppgnas.errors import BoardError
from ppgnas.files import text_of
from ppgnas.toml_file import named_file, read_as

ENGINES_DIR = Path(__file__).parents[1] / "engine_files"
DATA_DIR = Path(__file__).parents[1] / "data"
_ZERO = Estimate.exact(0)
# An engine whose file says nothing adds nothing to the program itself.
_NO_FLASH = FlashRules.model_construct(
    interpreter=_ZERO, model_base=_ZERO, model_per_op=_ZERO, model_per_weighted_op=_ZERO,
    model_per_channel=_ZERO, kernels={},
)  # fmt: skip
_NO_SRAM = SramRules.model_construct(
    arena_base=_ZERO, arena_per_op=_ZERO, arena_per_channel=_ZERO, arena_factor=Estimate.exact(1),
    runtime=_ZERO,
)  # fmt: skip

_HELP = (
    'A figure reads { value = 600, unit = "cycles per op", source = "..." } with optional low '
    "and high; compare with tflm-cmsis-nn.toml"
)


def engine_names() -> tuple[str, ...]:
    """Names of the engines, the default first."""
    names = sorted(path.stem for path in ENGINES_DIR.glob("*.toml"))
    return (DEFAULT_ENGINE, *(name for name in names if name != DEFAULT_ENGINE))


def engines_for(board: Board) -> list[str]:
    """Names of the engines that have figures for a board."""
    return [name for name in engine_names() if load_engine(name).knows(board)]


def known_cores() -> list[str]:
    """Cores that some engine has figures for."""
    return sorted({core for name in engine_names() for core in load_engine(name).cores})


def load_engine(name: str) -> Engine:
    """An engine by name, or from the file that `ppgnas calibrate` wrote.

    Raises:
        BoardError: an unknown name, or a file that does not hold an engine.
    """
    path = _path(name)
    return _ours(path) if path.parent == ENGINES_DIR else read_engine(path)


@cache  # lists of boards and engines ask for each again and again
def _ours(path: Path) -> Engine:
    return read_engine(path)


def _path(name: str) -> Path:
    otherwise = "A calibrated engine is given by the path of its TOML file"
    return named_file("engine", name, ENGINES_DIR, engine_names(), otherwise=otherwise)


def read_engine(path: Path) -> Engine:
    """Read and check one engine file.

    Raises:
        BoardError: names the file, the key and what is allowed.
    """
    file = read_as(path, EngineFile, help_text=_HELP)
    fit = None if file.fit is None else read_fit(DATA_DIR / file.fit)
    law = None if file.generated is None else CLaw(DATA_DIR / file.generated)
    errors = {} if fit is None else {name: law.mean_error for name, law in fit.kernels.items()}
    flash, sram = file.flash or _NO_FLASH, file.sram or _NO_SRAM
    profiles: tuple[Profile, ...]
    if law is not None:
        profiles = generated_profiles(file, law)
        errors["emulated networks Cortex-M7"] = law.errors.mean_error
    elif file.st_version is not None:
        version = _st_version(file.name, file.st_version)
        profiles = st_profiles(file, version, errors)
        flash, sram = st_memory(version.memory)
    elif fit is None:
        raise BoardError(f"{path}: it has none of fit, st_version and generated; give one of them")
    elif file.timed is not None:
        profiles = timed_profiles(file, _read_timed(DATA_DIR / file.timed), fit, errors)
    else:
        profiles = counted_profiles(file, fit, path)
    profiles = (*profiles, *carried(profiles, file))
    if file.calibration is not None:
        profiles = calibrated(profiles, file, file.calibration, path)
        if file.calibration.mean_error is not None:
            errors[f"calibration {file.calibration.part}"] = file.calibration.mean_error
    return Engine(
        name=file.name,
        title=file.title,
        version=file.version,
        date=file.date,
        kind=file.kind,
        cores=file.cores,
        parts=file.parts,
        cmsis_nn_scratch=file.cmsis_nn_scratch,
        flash=_with_assumed(flash),
        sram=sram,
        st_version=file.st_version,
        scratch_3x3=file.scratch_3x3,
        calibrated=None if file.calibration is None else file.calibration.part,
        carried=tuple(file.core_ratios),
        code_ratios=file.code_ratios,
        errors=errors,
        profiles=profiles,
        _law=law,
    )


def _with_assumed(file: FlashRules) -> FlashRules:
    """Kernels that the file does not know; an engine without any links no kernels one by one."""
    assumed: dict[str, Estimate] = {
        op: known.assumed.code_bytes for op, known in OPERATORS.items() if known.assumed
    }
    kernels = {**assumed, **file.kernels} if file.kernels else {}
    return file.model_copy(update={"kernels": kernels})


def read_fit(path: Path) -> FitFile:
    """Laws of counted kernels.

    Raises:
        BoardError: not such a file, or fitted with other features than the program has.
    """
    fit = read_as(path, FitFile, help_text=REFIT)
    for name, law in fit.kernels.items():
        check_features(law.features, CLASSES, name, where=f"{path}: kernels.{name}")
    return fit


def _st_version(name: str, version: str) -> StVersion:
    path = DATA_DIR / "st_tools.toml"
    found = read_as(path, StFit, help_text=REFIT).versions
    if version not in found:
        raise BoardError(
            f"engine {name!r}: st_version is {version!r}; fitted versions: {', '.join(found)}"
        )
    for core, law in found[version].cores.items():
        if law.features != FEATURES:
            raise BoardError(
                f"{path}: {core} was fitted with other features than the program has; {REFIT}"
            )
    return found[version]


def _read_timed(path: Path) -> TimedFit:
    fit = read_as(path, TimedFit, help_text=REFIT)
    for profile in fit.profiles.values():
        for name, law in profile.kernels.items():
            check_features(law.features, TIMED, name, where=f"{path}: {name}")
    return fit


def assumed_cycles(name: str) -> tuple[float, dict[str, float]]:
    """Cycles of a dispatch, and of one element of each operator without a law, by an engine."""
    cycles = read_as(ENGINES_DIR / f"{name}.toml", EngineFile, help_text=_HELP).kernel_cycles
    return cycles.dispatch.value, {op: figure.value for op, figure in cycles.elements.items()}


def engine_text(name: str, *, name_as: str) -> str:
    """The text of an engine file under another name.

    Raises:
        BoardError: an unknown name, no such file, or an engine that is calibrated already.
    """
    engine = load_engine(name)  # Checks the file, and the name.
    path = _path(name)
    text = text_of(path)
    if "\n[calibration]\n" in text:
        raise BoardError(
            f"{path}: this engine is calibrated already; calibrate the one that it was made from"
        )
    return text.replace(f'\nname = "{engine.name}"\n', f'\nname = "{name_as}"\n', 1)
