"""Engines: the runtimes that execute a network, with their coefficients.

An engine is two files: `engine_files/NAME.toml` (identity, overheads, memory rules, each with its
source) and, for kernels whose cycles were fitted, a file that `python -m hwmodels.fit` wrote.
Cycle figures are those of a Cortex-M7; `Board.core_ratio` carries them to another core.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hwmodels.boards import Board
from hwmodels.estimate import Estimate
from hwmodels.figures import Figure, explain
from hwmodels.graph import Layer
from hwmodels.kernels import CLASSES, Geometry, Shape, geometry, kernel_class
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


class _MacLaw(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    per_mac: Figure
    per_output: Figure


class _Cycles(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    dispatch: Figure
    per_instruction: Figure | None = None
    elements: dict[str, Figure]
    macs: _MacLaw | None = None


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
class Engine:
    """A runtime: kernels, overheads and memory rules.

    Attributes:
        name, title, version, date: identity; another version is another engine.
        cores: cores that it has a figure for.
        parts: prefixes of supported parts; empty is every part.
        cmsis_nn_scratch: kernels ask the arena for CMSIS-NN's scratch buffers.
        errors: kernel class -> leave-one-layer-out mean relative error.
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
    # Costs of layers seen before; a pure function's memory, never part of the value.
    memo: dict[object, object] = field(default_factory=dict, repr=False, compare=False)

    def work(self, layer: Layer, source: Shape, target: Shape) -> Work:
        """Cycles of one layer on a Cortex-M7.

        Raises:
            GraphError: the engine has no cost for the operator.
        """
        shape = geometry(layer, source, target)
        return self._work(kernel_class(layer.op, shape), shape)

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


def engine_names() -> tuple[str, ...]:
    """Names of the engines, the default first."""
    names = sorted(path.stem for path in ENGINES_DIR.glob("*.toml"))
    return (DEFAULT_ENGINE, *(name for name in names if name != DEFAULT_ENGINE))


def load_engine(name: str) -> Engine:
    """An engine by name.

    Raises:
        BoardError: an unknown name, or a file that does not hold an engine.
    """
    names = engine_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise BoardError(f"engine {name!r} is unknown; known engines: {', '.join(names)}.{hint}")
    path = ENGINES_DIR / f"{name}.toml"
    try:
        file = _EngineFile.model_validate(read_toml(path))
    except ValidationError as error:
        raise explain(error, path, _HELP) from error
    fit = None if file.fit is None else _read_fit(DATA_DIR / file.fit)
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
        errors={} if fit is None else {k: law.mean_error for k, law in fit.kernels.items()},
        _work=_law(file, fit),
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


def _law(file: _EngineFile, fit: _Fit | None) -> Callable[[str, Geometry], Work]:
    """The function from kernel class and geometry to work."""
    dispatch = file.cycles.dispatch.estimate()
    elements = {op: figure.estimate() for op, figure in file.cycles.elements.items()}

    def assumed(kernel: str, shape: Geometry) -> Work:
        if kernel not in elements:
            raise GraphError(
                f"engine {file.name!r}: no cost for kernel {kernel!r}; add it to "
                f"cycles.elements of {file.name}.toml"
            )
        # Pools and means are paid by what they read, the others by what they write.
        count = shape.taps * (shape.cin if kernel.endswith("pool") else 1)
        return Work(kernel, dispatch + elements[kernel].times(count), False, True)

    if fit is not None and file.cycles.per_instruction is not None:
        scale, seen = file.cycles.per_instruction.estimate(), fit.networks_cycles_per_instruction
        # The interval holds every network that was timed, whatever its build.
        wide = Estimate(scale.value, min(scale.low, seen.low), max(scale.high, seen.high))
        return _fitted(fit, wide, dispatch, assumed)
    if file.cycles.macs is None:
        raise BoardError(
            f"engine {file.name!r}: its file has neither fit with cycles.per_instruction nor "
            "cycles.macs; give one of them"
        )
    return _by_macs(file.cycles.macs, dispatch, assumed)


def _fitted(
    fit: _Fit, scale: Estimate, dispatch: Estimate, assumed: Callable[[str, Geometry], Work]
) -> Callable[[str, Geometry], Work]:
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
        inside = (
            shape.cin <= limits.cin
            and shape.cout <= limits.cout
            and shape.kernel_h * shape.kernel_w <= limits.kernel
            and shape.positions <= limits.positions
        )
        if kernel in ("add", "softmax"):
            inside = True  # Element-wise: linear at every size.
        return Work(kernel, dispatch + cycles, inside, False)

    return work


def _by_macs(
    macs: _MacLaw, dispatch: Estimate, assumed: Callable[[str, Geometry], Work]
) -> Callable[[str, Geometry], Work]:
    per_mac, per_output = macs.per_mac.estimate(), macs.per_output.estimate()

    def work(kernel: str, shape: Geometry) -> Work:
        if kernel.startswith("conv") or kernel == "fully_connected":
            count = shape.positions * shape.kernel_h * shape.kernel_w * shape.cin * shape.cout
        elif kernel.startswith("depthwise"):
            count = shape.positions * shape.kernel_h * shape.kernel_w * shape.cout
        else:
            return assumed(kernel, shape)
        outputs = shape.positions * shape.cout
        cycles = per_mac.times(count) + per_output.times(outputs)
        return Work(kernel, dispatch + cycles, True, False)

    return work
