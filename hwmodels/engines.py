"""Engines: the runtimes that execute a network, with their coefficients.

An engine is `engine_files/NAME.toml` (identity, overheads, memory rules, each with its source) and
the files that `python -m hwmodels.fit` wrote: laws of counted kernels, laws of timed kernels, laws
of ST's tools. `calibrate` writes engine files of its own; they are named by path.

An engine holds one `Profile` per core (or part) that was timed. A board is costed by the profile
of its core; where there is none, by the Cortex-M7's, and `Board.core_ratio` carries the cycles
over.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hwmodels.boards import Board
from hwmodels.estimate import Estimate
from hwmodels.figures import Figure, explain
from hwmodels.graph import Layer
from hwmodels.kernels import (
    CLASSES,
    TIMED,
    Geometry,
    Shape,
    geometry,
    kernel_class,
    timed_class,
)
from hwmodels.toml_file import read_toml
from ppgnas.errors import BoardError, GraphError

DEFAULT_ENGINE = "tflm-cmsis-nn"
ENGINES_DIR = Path(__file__).parent / "engine_files"
DATA_DIR = Path(__file__).parent / "data"

_HELP = (
    'A figure reads { value = 600, unit = "cycles per op", source = "..." } with optional low '
    f"and high; compare with {DEFAULT_ENGINE}.toml"
)


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    positions: int
    cin: int
    cout: int
    kernel: int


class _Kernel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: int
    mean_error: float
    p90_error: float
    max_error: float
    limits: _Limits
    features: tuple[str, ...]
    instructions: tuple[float, ...]


class _Scale(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float = Field(gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)
    networks: int


class _Fit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    networks_cycles_per_instruction: _Scale
    kernels: dict[str, _Kernel]


class _Bounds(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float = Field(gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    def estimate(self) -> Estimate:
        return Estimate(self.value, self.low, self.high)


class _TimedKernel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    features: tuple[str, ...]
    cycles: tuple[float, ...]
    limits: _Limits
    layers: int = 0
    mean_error: float | None = None
    half_width: float = 0.0


class _TimedProfile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    core: str
    part: str
    per_instruction: _Bounds
    network: _Bounds
    mean_error: float | None = None
    kernels: dict[str, _TimedKernel]


class _TimedFit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    profiles: dict[str, _TimedProfile]


class _StLaw(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    per_mac: float = Field(ge=0)
    per_output: float = Field(ge=0)
    network: _Bounds
    mean_error: float
    networks: int
    limits: _Limits


class _StFit(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    versions: dict[str, dict[str, _StLaw]]


class _Calibration(BaseModel):
    """What `ppgnas calibrate` adds: a factor and laws of one core."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    core: str = Field(min_length=1)
    part: str = Field(min_length=1)
    scale: float = Field(gt=0, allow_inf_nan=False)
    network: _Bounds
    points: int = Field(ge=1)
    mean_error: float | None = None
    source: str
    kernels: dict[str, _TimedKernel] = Field(default_factory=dict)


class _Cycles(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    dispatch: Figure
    per_instruction: Figure | None = None
    elements: dict[str, Figure]


class _Flash(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    interpreter: Figure
    model_base: Figure
    model_per_op: Figure
    model_per_weighted_op: Figure
    model_per_channel: Figure
    kernels: dict[str, Figure] = Field(default_factory=dict)


class _Sram(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    arena_base: Figure
    arena_per_op: Figure
    arena_per_channel: Figure
    arena_factor: Figure
    runtime: Figure


class _EngineFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    version: str
    date: str
    fit: str | None = None
    timed: str | None = None
    st_version: str | None = None
    calibration: _Calibration | None = None
    cores: tuple[str, ...]
    parts: tuple[str, ...]
    cmsis_nn_scratch: bool
    cycles: _Cycles
    flash: _Flash
    sram: _Sram


@dataclass(frozen=True, slots=True)
class Work:
    """What an engine makes of one layer on a Cortex-M7.

    Attributes:
        kernel: the kernel class that runs it.
        cycles: of the kernel and its dispatch.
        calibrated: the layer lies within the sizes that were counted or timed; False also for a
            kernel whose cycles are assumed.
        assumed: the kernel has no fitted law.
    """

    kernel: str
    cycles: Estimate
    calibrated: bool
    assumed: bool


@dataclass(frozen=True)
class FlashRules:
    """Bytes of flash: runtime, model file overheads, code of each kernel."""

    interpreter: Estimate
    model_base: Estimate
    model_per_op: Estimate
    model_per_weighted_op: Estimate
    model_per_channel: Estimate
    kernels: dict[str, Estimate]


@dataclass(frozen=True)
class SramRules:
    """Bytes of SRAM beside the planned tensors."""

    arena_base: Estimate
    arena_per_op: Estimate
    arena_per_channel: Estimate
    arena_factor: Estimate
    runtime: Estimate


@dataclass(frozen=True)
class Profile:
    """An engine's cycles as they were timed on one core or part.

    Attributes:
        name: the part, or the core where several parts were timed.
        core: as boards name it.
        part: prefix of the parts that it stands for; empty is every part of the core.
        network: measured over predicted cycles of whole networks, 90 % (value 1 unless a user's
            calibration moved it).
        memo: costs of layers seen before; a pure function's memory, never part of the value.
    """

    name: str
    core: str
    part: str
    network: Estimate
    work: Callable[[str, Geometry], Work] = field(repr=False, compare=False)
    memo: dict[object, object] = field(default_factory=dict, repr=False, compare=False)

    def factor(self, board: Board) -> Estimate:
        """What the cycles of a network are multiplied by on a board.

        The errors of the laws (`network`) and of the part (`Board.core_ratio`) are independent:
        their logs add in squares.
        """
        ratio, network = board.core_ratio, self.network
        if board.part == self.name:
            part = Estimate.exact(ratio.value if self.core == "Cortex-M7" else 1.0)
        elif board.core == self.core != "Cortex-M7":
            # Timed on this core: of the board's ratio only its spread is left.
            part = Estimate(1.0, ratio.low / ratio.value, ratio.high / ratio.value)
        else:
            part = ratio
        value = part.value * network.value
        low = math.hypot(math.log(part.low / part.value), math.log(network.low / network.value))
        high = math.hypot(math.log(part.high / part.value), math.log(network.high / network.value))
        return Estimate(value, value * math.exp(-low), value * math.exp(high))


@dataclass(frozen=True)
class Engine:
    """A runtime: kernels, overheads and memory rules.

    Attributes:
        name, title, version, date: identity; another version is another engine.
        cores: cores that it has a figure for.
        parts: prefixes of supported parts; empty is every part.
        cmsis_nn_scratch: kernels ask the arena for CMSIS-NN's scratch buffers.
        errors: kernel class -> mean relative error of held-out layers; `networks CORE` -> of
            held-out networks.
        profiles: by core and part; without any, `_work` stands for a Cortex-M7.
    """

    name: str
    title: str
    version: str
    date: str
    cores: tuple[str, ...]
    parts: tuple[str, ...]
    cmsis_nn_scratch: bool
    flash: FlashRules
    sram: SramRules
    errors: dict[str, float]
    _work: Callable[[str, Geometry], Work] = field(repr=False, compare=False)
    profiles: tuple[Profile, ...] = field(default=(), repr=False, compare=False)
    # Profiles and costs of layers seen before; a pure function's memory, never part of the value.
    memo: dict[object, object] = field(default_factory=dict, repr=False, compare=False)

    def work(
        self, layer: Layer, source: Shape, target: Shape, profile: Profile | None = None
    ) -> Work:
        """Cycles of one layer on a profile's core; on a Cortex-M7 without one.

        Raises:
            GraphError: the engine has no cost for the operator.
        """
        shape = geometry(layer, source, target)
        law = self._work if profile is None else profile.work
        return law(kernel_class(layer.op, shape), shape)

    def profile(self, board: Board) -> Profile:
        """The timings that stand for a board: of its part, its family, its core, a Cortex-M7."""
        key = (board.core, board.part)
        found = self.memo.get(key)
        if not isinstance(found, Profile):
            if self.profiles:
                found = nearest(self.profiles, board.core, board.part)
            else:
                exact = Estimate.exact(1.0)
                found = Profile("Cortex-M7", "", "", exact, self._work, self.memo)
            self.memo[key] = found
        return found

    def check(self, board: Board) -> None:
        """Whether the engine runs on a board.

        Raises:
            BoardError: it does not.
        """
        if board.core not in self.cores:
            raise BoardError(
                f"engine {self.name!r} has no figures for the core {board.core!r} of board "
                f"{board.name!r}; supported cores: {', '.join(self.cores)}"
            )
        if self.parts and not board.part.startswith(self.parts):
            raise BoardError(
                f"engine {self.name!r} does not run on {board.part}; supported parts: "
                f"{', '.join(part + '*' for part in self.parts)}. Use {DEFAULT_ENGINE!r}"
            )


def nearest(profiles: tuple[Profile, ...], core: str, part: str) -> Profile:
    """The profile of a part, of its family, of its core, or else of a Cortex-M7."""
    fitting = [p for p in profiles if p.core == core and part.startswith(p.part)]
    if fitting:
        return max(fitting, key=lambda p: (p.name == part, len(p.part)))
    return next(p for p in profiles if p.core == "Cortex-M7")


def engine_names() -> tuple[str, ...]:
    """Names of the engines, the default first."""
    names = sorted(path.stem for path in ENGINES_DIR.glob("*.toml"))
    return (DEFAULT_ENGINE, *(name for name in names if name != DEFAULT_ENGINE))


def load_engine(name: str) -> Engine:
    """An engine by name, or from the file that `ppgnas calibrate` wrote.

    Raises:
        BoardError: an unknown name, or a file that does not hold an engine.
    """
    if name.endswith(".toml"):
        return read_engine(Path(name))
    names = engine_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise BoardError(
            f"engine {name!r} is unknown; known engines: {', '.join(names)}.{hint} "
            "A calibrated engine is given by the path of its TOML file"
        )
    return read_engine(ENGINES_DIR / f"{name}.toml")


def read_engine(path: Path) -> Engine:
    """Read and check one engine file.

    Raises:
        BoardError: names the file, the key and what is allowed.
    """
    try:
        file = _EngineFile.model_validate(read_toml(path))
    except ValidationError as error:
        raise explain(error, path, _HELP) from error
    fit = None if file.fit is None else _read_fit(DATA_DIR / file.fit)
    errors: dict[str, float] = {}
    if fit is not None:
        errors |= {kernel: law.mean_error for kernel, law in fit.kernels.items()}
    profiles: tuple[Profile, ...]
    if file.st_version is not None:
        profiles = _st_profiles(file, file.st_version, errors)
    elif fit is None:
        raise BoardError(f"{path}: it has neither fit nor st_version; give one of them")
    elif file.timed is not None:
        profiles = _timed_profiles(file, _read_timed(DATA_DIR / file.timed), fit, errors)
    else:
        profiles = _counted_profiles(file, fit, path)
    if file.calibration is not None:
        profiles = _calibrated(profiles, file, file.calibration, path)
        if file.calibration.mean_error is not None:
            errors[f"calibration {file.calibration.part}"] = file.calibration.mean_error
    return Engine(
        name=file.name,
        title=file.title,
        version=file.version,
        date=file.date,
        cores=file.cores,
        parts=file.parts,
        cmsis_nn_scratch=file.cmsis_nn_scratch,
        flash=FlashRules(
            file.flash.interpreter.estimate(),
            file.flash.model_base.estimate(),
            file.flash.model_per_op.estimate(),
            file.flash.model_per_weighted_op.estimate(),
            file.flash.model_per_channel.estimate(),
            {kernel: figure.estimate() for kernel, figure in file.flash.kernels.items()},
        ),
        sram=SramRules(
            file.sram.arena_base.estimate(),
            file.sram.arena_per_op.estimate(),
            file.sram.arena_per_channel.estimate(),
            file.sram.arena_factor.estimate(),
            file.sram.runtime.estimate(),
        ),
        errors=errors,
        _work=next(p.work for p in profiles if p.core == "Cortex-M7"),
        profiles=profiles,
    )


def _read_fit(path: Path) -> _Fit:
    try:
        fit = _Fit.model_validate(read_toml(path))
    except ValidationError as error:
        raise explain(error, path, "Run `python -m hwmodels.fit`") from error
    for name, law in fit.kernels.items():
        if name not in CLASSES or law.features != CLASSES[name].names:
            raise BoardError(
                f"{path}: kernels.{name} was fitted with other features than the program has; "
                "run `python -m hwmodels.fit`"
            )
    return fit


def _read_timed(path: Path) -> _TimedFit:
    try:
        fit = _TimedFit.model_validate(read_toml(path))
    except ValidationError as error:
        raise explain(error, path, "Run `python -m hwmodels.fit`") from error
    for profile in fit.profiles.values():
        for name, law in profile.kernels.items():
            if name not in TIMED or law.features != TIMED[name].names:
                raise BoardError(
                    f"{path}: {name} was fitted with other features than the program has; "
                    "run `python -m hwmodels.fit`"
                )
    return fit


_Law = Callable[[str, Geometry], Work]


def _assumed(file: _EngineFile, ratio: float = 1.0) -> _Law:
    """Cycles of operators without a law, `ratio` times those of a Cortex-M7."""
    dispatch = file.cycles.dispatch.estimate().times(ratio)
    elements = {op: f.estimate().times(ratio) for op, f in file.cycles.elements.items()}

    def work(kernel: str, shape: Geometry) -> Work:
        if kernel not in elements:
            raise GraphError(
                f"engine {file.name!r}: no cost for kernel {kernel!r}; add it to "
                f"cycles.elements of {file.name}.toml"
            )
        # Pools and means are paid by what they read, the others by what they write.
        count = shape.taps * (shape.cin if kernel.endswith("pool") else 1)
        return Work(kernel, dispatch + elements[kernel].times(count), False, True)

    return work


def _counted_profiles(file: _EngineFile, fit: _Fit, path: Path) -> tuple[Profile, ...]:
    """Counted instructions times the engine file's cycles per instruction."""
    if file.cycles.per_instruction is None:
        raise BoardError(f"{path}: cycles.per_instruction is missing; a counted fit needs it")
    scale, seen = file.cycles.per_instruction.estimate(), fit.networks_cycles_per_instruction
    # The interval holds every network that was timed, whatever its build.
    wide = Estimate(scale.value, min(scale.low, seen.low), max(scale.high, seen.high))
    work = _counted(fit, wide, file.cycles.dispatch.estimate(), _assumed(file))
    return (Profile("Cortex-M7", "Cortex-M7", "", Estimate.exact(1.0), work),)


def _inside(shape: Geometry, limits: _Limits) -> bool:
    return (
        shape.cin <= limits.cin
        and shape.cout <= limits.cout
        and shape.kernel_h * shape.kernel_w <= limits.kernel
        and shape.positions <= limits.positions
    )


def _counted(fit: _Fit, scale: Estimate, dispatch: Estimate, assumed: _Law) -> _Law:
    laws = {
        name: (CLASSES[name].features, law.instructions, law.p90_error, law.limits)
        for name, law in fit.kernels.items()
    }

    def work(kernel: str, shape: Geometry) -> Work:
        if kernel not in laws:
            return assumed(kernel, shape)
        features, coefficients, error, limits = laws[kernel]
        counts = sum(c * f for c, f in zip(coefficients, features(shape), strict=True))
        cycles = Estimate(
            counts * scale.value,
            counts * scale.low * (1 - error),
            counts * scale.high * (1 + error),
        )
        # Element-wise kernels are linear at every size.
        inside = kernel in ("add", "softmax") or _inside(shape, limits)
        return Work(kernel, dispatch + cycles, inside, False)

    return work


def _timed_profiles(
    file: _EngineFile, timed: _TimedFit, fit: _Fit, errors: dict[str, float]
) -> tuple[Profile, ...]:
    base = timed.profiles["Cortex-M7"].per_instruction.value
    profiles = []
    for name, found in timed.profiles.items():
        ratio = found.per_instruction.value / base
        dispatch = file.cycles.dispatch.estimate().times(ratio)
        counted = _counted(fit, found.per_instruction.estimate(), dispatch, _assumed(file, ratio))
        work = _timed(found, dispatch, counted)
        profiles.append(Profile(name, found.core, found.part, found.network.estimate(), work))
        if found.mean_error is not None:
            errors[f"networks {found.core}"] = found.mean_error
        for kernel, law in found.kernels.items():
            if law.mean_error is not None:
                errors[f"{kernel} {name}"] = law.mean_error
    return tuple(profiles)


def _timed(profile: _TimedProfile, dispatch: Estimate, counted: _Law) -> _Law:
    """Timed kernels by their laws, the others by what was counted."""
    return _laws(profile.kernels, dispatch, counted)


def _laws(kernels: dict[str, _TimedKernel], dispatch: Estimate, others: _Law) -> _Law:
    laws = {
        name: (TIMED[name].features, law.cycles, law.limits, math.exp(law.half_width))
        for name, law in kernels.items()
    }

    def work(kernel: str, shape: Geometry) -> Work:
        name = timed_class(kernel, shape)
        if name is None or name not in laws:
            return others(kernel, shape)
        features, coefficients, limits, spread = laws[name]
        value = sum(c * f for c, f in zip(coefficients, features(shape), strict=True))
        cycles = Estimate(value, value / spread, value * spread)
        return Work(kernel, dispatch + cycles, _inside(shape, limits), False)

    return work


def _st_profiles(file: _EngineFile, version: str, errors: dict[str, float]) -> tuple[Profile, ...]:
    path = DATA_DIR / "st_tools.toml"
    try:
        laws = _StFit.model_validate(read_toml(path)).versions
    except ValidationError as error:
        raise explain(error, path, "Run `python -m hwmodels.fit`") from error
    if version not in laws:
        raise BoardError(
            f"engine {file.name!r}: st_version is {version!r}; fitted versions: {', '.join(laws)}"
        )
    profiles = []
    for core, law in laws[version].items():
        work = _by_macs(law, file.cycles.dispatch.estimate(), _assumed(file))
        profiles.append(Profile(core, core, "", law.network.estimate(), work))
        errors[f"networks {core}"] = law.mean_error
    return tuple(profiles)


def _by_macs(law: _StLaw, dispatch: Estimate, assumed: _Law) -> _Law:
    def work(kernel: str, shape: Geometry) -> Work:
        outputs = shape.positions * shape.cout
        if kernel.startswith("conv") or kernel == "fully_connected":
            count = outputs * shape.kernel_h * shape.kernel_w * shape.cin
        elif kernel.startswith("depthwise"):
            count = outputs * shape.kernel_h * shape.kernel_w
        else:
            return assumed(kernel, shape)
        cycles = Estimate.exact(law.per_mac * count + law.per_output * outputs)
        return Work(kernel, dispatch + cycles, _inside(shape, law.limits), False)

    return work


def _calibrated(
    profiles: tuple[Profile, ...], file: _EngineFile, found: _Calibration, path: Path
) -> tuple[Profile, ...]:
    """The profiles with a user's own in the place of those of the same core."""
    for kernel, law in found.kernels.items():
        if kernel not in TIMED or law.features != TIMED[kernel].names:
            raise BoardError(
                f"{path}: calibration.kernels.{kernel} was fitted with other features than the "
                "program has; run `ppgnas calibrate` again"
            )
    base = nearest(profiles, found.core, found.part)
    # The dispatch of every call is in the base's work; laws of kernels go beside it.
    dispatch = file.cycles.dispatch.estimate()

    def scaled(kernel: str, shape: Geometry) -> Work:
        work = base.work(kernel, shape)
        return Work(kernel, work.cycles.times(found.scale), work.calibrated, work.assumed)

    laws = _laws(found.kernels, dispatch, scaled) if found.kernels else scaled
    own = Profile(found.part, found.core, "", found.network.estimate(), laws)
    return (own, *(p for p in profiles if p.core != found.core))


def engine_text(name: str, *, name_as: str) -> str:
    """The text of an engine file under another name.

    Raises:
        BoardError: an unknown name, no such file, or an engine that is calibrated already.
    """
    engine = load_engine(name)  # Checks the file, and the name.
    path = Path(name) if name.endswith(".toml") else ENGINES_DIR / f"{name}.toml"
    text = path.read_text(encoding="utf-8")
    if "\n[calibration]\n" in text:
        raise BoardError(
            f"{path}: this engine is calibrated already; calibrate the one that it was made from"
        )
    return text.replace(f'\nname = "{engine.name}"\n', f'\nname = "{name_as}"\n', 1)
