"""What engine files and their laws hold, checked where they enter.

`engine_files/NAME.toml` is an `EngineFile`; the files that `python -m hwmodels.fit` wrote are
`FitFile` (counted kernels), `TimedFit` (timed kernels) and `StFit` (tools of ST).
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, model_validator

from hwmodels.engines.engine import EngineKind, FlashRules, SramRules
from hwmodels.engines.kernels import Geometry
from hwmodels.estimate import Estimate
from hwmodels.figures import Measured
from ppgnas.toml_file import FileModel


class LimitsFile(FileModel):
    """The largest sizes that a law was fitted on."""

    positions: int
    cin: int
    cout: int
    kernel: int

    @staticmethod
    def of(shapes: Sequence[Geometry]) -> LimitsFile:
        return LimitsFile(
            positions=max(g.positions for g in shapes),
            cin=max(g.cin for g in shapes),
            cout=max(g.cout for g in shapes),
            kernel=max(g.kernel_h * g.kernel_w for g in shapes),
        )

    def hold(self, g: Geometry) -> bool:
        small = g.positions <= self.positions and g.kernel_h * g.kernel_w <= self.kernel
        return small and g.cin <= self.cin and g.cout <= self.cout


class KernelFile(FileModel):
    layers: int
    mean_error: float
    p90_error: float
    max_error: float
    limits: LimitsFile
    features: tuple[str, ...]
    instructions: tuple[float, ...]


class Bounds(FileModel):
    value: float = Field(gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    def estimate(self) -> Estimate:
        return Estimate(self.value, self.low, self.high)


class ScaleFile(Bounds):
    networks: int
    anchored: float | None = None
    anchored_on: dict[str, float] = Field(default_factory=dict)


class FitFile(FileModel):
    source: str
    networks_cycles_per_instruction: ScaleFile
    kernels: dict[str, KernelFile]


class TimedKernel(FileModel):
    features: tuple[str, ...]
    cycles: tuple[float, ...]
    limits: LimitsFile
    layers: int = 0
    mean_error: float | None = None
    half_width: float = 0.0


class TimedProfile(FileModel):
    note: str = ""
    core: str
    part: str
    per_instruction: Bounds
    network: Bounds
    mean_error: float | None = None
    anchored: float | None = None
    holds_boards: bool = False
    """The interval of networks holds how parts of the core differ too."""
    kernels: dict[str, TimedKernel]


class TimedFit(FileModel):
    source: str
    profiles: dict[str, TimedProfile]


class StLaw(FileModel):
    """Cycles on one core, and the intervals of `hwmodels.engines.engine.Regimes`."""

    note: str = ""
    ratio: float = Field(gt=0)
    features: tuple[str, ...]
    cycles: tuple[float, ...]
    seen_small: Bounds
    seen_large: Bounds
    new_small: Bounds
    new_large: Bounds
    anchored_small: Bounds
    anchored_large: Bounds
    mean_error: float
    networks: int
    parts: tuple[str, ...]
    limits: LimitsFile
    lines: bool
    """Networks with windows along one axis were timed under this version."""


class StMemory(FileModel):
    """Bytes of code and of the runtime's RAM, and the 90 % of what all three sizes missed."""

    activations: Bounds
    code: Bounds
    code_base: float = Field(ge=0)
    code_per_op: float = Field(ge=0)
    kernels: dict[str, float]
    runtime: Bounds
    runtime_base: float = Field(ge=0)
    runtime_per_op: float = Field(ge=0)


class StVersion(FileModel):
    memory: StMemory
    cores: dict[str, StLaw]


class StFit(FileModel):
    source: str
    versions: dict[str, StVersion]


class CalibrationFile(FileModel):
    """What `ppgnas calibrate` adds: a factor and laws of one core."""

    core: str = Field(min_length=1)
    part: str = Field(min_length=1)
    scale: float = Field(gt=0, allow_inf_nan=False)
    network: Bounds
    points: int = Field(ge=1)
    mean_error: float | None = None
    source: str
    kernels: dict[str, TimedKernel] = Field(default_factory=dict)


class CyclesFile(FileModel):
    dispatch: Measured
    per_instruction: Measured | None = None
    elements: dict[str, Measured]


class EngineFile(FileModel):
    name: str = Field(min_length=1)
    title: str = Field(min_length=1)
    version: str = Field(min_length=1)
    date: str
    fit: str | None = None
    timed: str | None = None
    st_version: str | None = None
    calibration: CalibrationFile | None = None
    cores: tuple[str, ...]
    parts: tuple[str, ...]
    cmsis_nn_scratch: bool = False
    scratch_3x3: bool = False
    generated: str | None = None
    memory_waits: Measured | None = None
    core_ratios: dict[str, Measured] = Field(default_factory=dict)
    """Cycles relative to the Cortex-M7 of cores that nothing was fitted on."""
    code_ratios: dict[str, Measured] = Field(default_factory=dict)
    """Bytes of generated code relative to a Cortex-M7's, where another core needs more."""
    cycles: CyclesFile | None = None
    flash: FlashRules | None = None
    sram: SramRules | None = None

    @model_validator(mode="after")
    def _complete(self) -> EngineFile:
        if self.kind == "layers":
            # The memory of ST's tools is in the file of the fit.
            needed = ("cycles", "flash", "sram") if self.st_version is None else ("cycles",)
            for key in needed:
                if getattr(self, key) is None:
                    raise ValueError(f"the table [{key}] is missing")
        elif self.memory_waits is None:
            raise ValueError("memory_waits is missing; generated C needs it")
        for name, ratios in (("core_ratios", self.core_ratios), ("code_ratios", self.code_ratios)):
            for core, ratio in ratios.items():
                if not ratio.low > 0:
                    raise ValueError(f"{name}.{core} begins at {ratio.low:g}; allowed: above 0")
        return self

    @property
    def kind(self) -> EngineKind:
        """What the file describes."""
        return "layers" if self.generated is None else "program"

    @property
    def kernel_cycles(self) -> CyclesFile:
        """Overheads of an engine that runs layer by layer."""
        assert self.cycles is not None, "checked when it was read"
        return self.cycles
