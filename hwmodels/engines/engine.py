"""An engine as a value: kernels, overheads and memory rules of a runtime.

An engine holds one `Profile` per core (or part) that was timed. A board is costed by the profile
of its core; where there is none, by the Cortex-M7's, and `Board.core_ratio` carries the cycles
over.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import Field

from hwmodels.boards import Board
from hwmodels.engines.kernels import Geometry, geometry, kernel_class
from hwmodels.estimate import Estimate
from hwmodels.figures import Measured
from hwmodels.generated_c.law import CLaw
from hwmodels.graph import Layer, Shape
from ppgnas.defaults import DEFAULT_ENGINE
from ppgnas.errors import BoardError
from ppgnas.task import Mode
from ppgnas.toml_file import FileModel

EngineKind = Literal["layers", "program"]
"""`layers`: one kernel runs one layer. `program`: generated C, whose steps take several."""

NEAREST_CORE = (
    "For a rough cost write the nearest of these in a board file, and wide bounds of core_ratio"
)

SMALL_MACS = 5_000_000
"""Networks below are small: overheads weigh more, so their errors are apart."""


@dataclass(frozen=True, slots=True)
class Work:
    """What an engine makes of one layer on a Cortex-M7.

    Attributes:
        cycles: of the kernel and its dispatch.
        calibrated: the layer lies within the sizes that were counted or timed; False also for a
            kernel whose cycles are assumed.
        assumed: the kernel has no fitted law.
    """

    kernel: str
    cycles: Estimate
    calibrated: bool
    assumed: bool


class FlashRules(FileModel):
    """Bytes of flash: runtime, model file overheads, code of each kernel."""

    interpreter: Measured
    model_base: Measured
    model_per_op: Measured
    model_per_weighted_op: Measured
    model_per_channel: Measured
    code_per_op: Measured = Estimate.exact(0)
    needs: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Kernels that link others beside themselves."""
    kernels: dict[str, Measured] = Field(default_factory=dict)


class SramRules(FileModel):
    """Bytes of SRAM beside the planned tensors."""

    arena_base: Measured
    arena_per_op: Measured
    arena_per_channel: Measured
    arena_factor: Measured
    runtime: Measured
    runtime_per_op: Measured = Estimate.exact(0)


@dataclass(frozen=True)
class Regimes:
    """Measured over predicted cycles of whole networks, 90 %, from networks held out in that way.

    Attributes:
        seen_small, seen_large: below and from `SMALL_MACS` on, on a board of the fit.
        new_small, new_large: on a board that the fit does not know.
        anchored_small, anchored_large: after another network was measured on the same board.
    """

    seen_small: Estimate
    seen_large: Estimate
    new_small: Estimate
    new_large: Estimate
    anchored_small: Estimate
    anchored_large: Estimate

    def of(self, *, small: bool, seen: bool) -> Estimate:
        """The interval of one regime."""
        if seen:
            return self.seen_small if small else self.seen_large
        return self.new_small if small else self.new_large


@dataclass(frozen=True)
class Profile:
    """An engine's cycles as they were timed on one core or part.

    Attributes:
        name: the part, or the core where several parts were timed.
        core: as boards name it.
        part: prefix of the parts that it stands for; empty is every part of the core.
        network: measured over predicted cycles of whole networks, 90 % (value 1 unless a user's
            calibration moved it).
        regimes: the same by size and board, where enough networks were timed to tell.
        parts: parts whose networks are in the fit.
        anchored: half width in logs of a network after another one was measured on the same board
            and build: 90 % of the pairs of timed networks; None where none were.
        anchored_on: the same of other cores that the profile stands for.
        holds_boards: `network` holds how parts of the core differ too.
        memo: costs of layers seen before; a pure function's memory, never part of the value.
    """

    name: str
    core: str
    part: str
    network: Estimate
    work: Callable[[str, Geometry], Work] = field(repr=False, compare=False)
    regimes: Regimes | None = None
    parts: tuple[str, ...] = ()
    anchored: float | None = None
    anchored_on: dict[str, float] = field(default_factory=dict)
    holds_boards: bool = False
    memo: dict[object, object] = field(default_factory=dict, repr=False, compare=False)

    def factor(self, board: Board, *, macs: int | None = None) -> Estimate:
        """What the cycles of a network are multiplied by on a board.

        Args:
            macs: of the network; one of any size where it is None.

        The errors of the laws (`network`) and of the part (`Board.core_ratio`) are independent:
        their logs add in squares.
        """
        ratio, network = board.core_ratio, self.network
        if self.regimes is not None:
            small = macs is not None and macs < SMALL_MACS
            network = self.regimes.of(small=small, seen=board.part in self.parts)
        # How parts of one core differ is in the regimes already.
        if board.part == self.name or self.regimes is not None or self.holds_boards:
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
        scratch_3x3: so do 3 x 3 depthwise windows, which newer builds do not.
        st_version: of ST's tools, which plan activations in place (`hwmodels.engines.st`).
        calibrated: part that a user calibrated it on, if any.
        carried: cores that have one ratio to the Cortex-M7 and nothing else.
        code_ratios: bytes of generated code over a Cortex-M7's, of cores where they differ.
        errors: kernel class -> mean relative error of held-out layers; `networks CORE` -> of
            held-out networks.
        profiles: by core and part, a Cortex-M7's among them.
    """

    name: str
    title: str
    version: str
    date: str
    kind: EngineKind
    cores: tuple[str, ...]
    parts: tuple[str, ...]
    cmsis_nn_scratch: bool
    flash: FlashRules
    sram: SramRules
    errors: dict[str, float]
    st_version: str | None = field(default=None, kw_only=True)
    scratch_3x3: bool = field(default=False, kw_only=True)
    calibrated: str | None = field(default=None, kw_only=True)
    carried: tuple[str, ...] = field(default=(), kw_only=True)
    code_ratios: dict[str, Estimate] = field(default_factory=dict, kw_only=True)
    profiles: tuple[Profile, ...] = field(repr=False, compare=False)
    _law: CLaw | None = field(default=None, repr=False, compare=False)

    @property
    def law(self) -> CLaw:
        """The laws of an engine of kind `program`."""
        assert self._law is not None, f"engine {self.name!r} is of kind {self.kind!r}"
        return self._law

    def work(
        self, layer: Layer, source: Shape, target: Shape, profile: Profile | None = None
    ) -> Work:
        """Cycles of one layer on a profile's core; on a Cortex-M7 without one.

        Raises:
            GraphError: the engine has no cost for the operator.
        """
        shape = geometry(layer, source, target)
        law = profile or nearest(self.profiles, "Cortex-M7", "")
        work = law.work(kernel_class(layer.op, shape), shape)
        if layer.groups == 1:
            return work
        # No law was fitted on groups.
        return Work(work.kernel, work.cycles.times(layer.groups), False, work.assumed)

    def profile(self, board: Board) -> Profile:
        """The timings that stand for a board: of its part, its family, its core, a Cortex-M7."""
        return nearest(self.profiles, board.core, board.part)

    def code_ratio(self, board: Board) -> Estimate:
        """What bytes of generated code are multiplied by on a board."""
        return self.code_ratios.get(board.core, Estimate.exact(1.0))

    def knows(self, board: Board) -> bool:
        """Whether there are figures for a board."""
        return board.core in self.cores and board.part.upper().startswith(self.parts or ("",))

    def caution(self, board: Board) -> tuple[str, ...]:
        """What is to be said of a calibration that tells nothing of a board."""
        if self.calibrated in (None, self.profile(board).name):
            return ()
        return (
            f"{self.name} was calibrated on {self.calibrated}, and none of that counts on the "
            f"{board.core} of {board.name}; calibrate there too.",
        )

    def check(self, board: Board) -> None:
        """Whether the engine runs on a board.

        Raises:
            BoardError: it does not.
        """
        if board.core not in self.cores:
            raise BoardError(
                f"engine {self.name!r} has no figures for the core {board.core!r} of board "
                f"{board.name!r}; supported cores: {', '.join(self.cores)}. {NEAREST_CORE}"
            )
        if not self.knows(board):
            raise BoardError(
                f"engine {self.name!r} does not run on {board.part}; supported parts: "
                f"{', '.join(part + '*' for part in self.parts)}. Use {DEFAULT_ENGINE!r}"
            )

    def check_mode(self, mode: Mode) -> None:
        """Whether the engine runs networks in this way.

        Raises:
            BoardError: it has no streaming.
        """
        if mode == "streaming" and self.kind != "program":
            raise BoardError(
                f"engine {self.name!r} has no streaming: its files keep nothing between windows. "
                f"Use {DEFAULT_ENGINE!r}, or mode window"
            )


def nearest(profiles: tuple[Profile, ...], core: str, part: str) -> Profile:
    """The profile of a part, of its family, of its core, or else of a Cortex-M7."""
    fitting = [p for p in profiles if p.core == core and part.startswith(p.part)]
    if fitting:
        return max(fitting, key=lambda p: (p.name == part, len(p.part)))
    return next(p for p in profiles if p.core == "Cortex-M7")
