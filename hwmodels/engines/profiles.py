"""Profiles of an engine from its files: counted, timed, by ST's tools, calibrated by a user."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from hwmodels.engines import st
from hwmodels.engines.engine import FlashRules, Profile, Regimes, SramRules, Work, nearest
from hwmodels.engines.file import (
    CalibrationFile,
    EngineFile,
    FitFile,
    KernelFile,
    StLaw,
    StMemory,
    StVersion,
    TimedFit,
    TimedKernel,
)
from hwmodels.engines.kernels import (
    CLASSES,
    TIMED,
    Geometry,
    KernelClass,
    paid_elements,
    timed_class,
)
from hwmodels.estimate import Estimate
from hwmodels.generated_c.law import CLaw
from hwmodels.operators import OPERATORS, WEIGHTED_OPS
from ppgnas.errors import BoardError, GraphError

Law = Callable[[str, Geometry], Work]
_FIT = "`python -m hwmodels.fit`"
REFIT = f"Run {_FIT}"


def check_features(
    fitted: tuple[str, ...],
    classes: Mapping[str, KernelClass],
    kernel: str,
    *,
    where: str,
    again: str = _FIT,
) -> None:
    """Refuse a law that was fitted with other features than the program has.

    Raises:
        BoardError: names the law and how to make it anew.
    """
    if kernel not in classes or fitted != classes[kernel].names:
        raise BoardError(
            f"{where} was fitted with other features than the program has; run {again}"
        )


@dataclass(frozen=True)
class _Assumed:
    """Cycles of operators without a law, of the engine file.

    Laws are values and not closures, so that an engine can go to another process.
    """

    engine: str
    dispatch: Estimate
    elements: dict[str, Estimate]

    def __call__(self, kernel: str, shape: Geometry) -> Work:
        if kernel not in self.elements:
            raise GraphError(
                f"engine {self.engine!r}: no cost for kernel {kernel!r}; add it to "
                f"cycles.elements of {self.engine}.toml"
            )
        cycles = self.elements[kernel].times(paid_elements(kernel, shape))
        return Work(kernel, self.dispatch + cycles, False, True)


def _assumed(file: EngineFile, ratio: float = 1.0) -> _Assumed:
    """`ratio` times the cycles of a Cortex-M7."""
    elements: dict[str, Estimate] = {
        op: known.assumed.cycles for op, known in OPERATORS.items() if known.assumed
    }
    elements |= file.kernel_cycles.elements
    scaled = {op: cycles.times(ratio) for op, cycles in elements.items()}
    return _Assumed(file.name, file.kernel_cycles.dispatch.times(ratio), scaled)


def generated_profiles(file: EngineFile, law: CLaw) -> tuple[Profile, ...]:
    """Generated C is counted step by step: its one profile scales whole networks."""
    assert file.memory_waits is not None, "checked when it was read"
    network = file.memory_waits.widened(law.errors.half_width)
    return (Profile("Cortex-M7", "Cortex-M7", "", network, _no_layer),)


def _no_layer(kernel: str, shape: Geometry) -> Work:
    raise GraphError(
        f"generated C: {kernel} has no cycles of its own; its layers run together, so cost a "
        "whole network"
    )


def counted_profiles(file: EngineFile, fit: FitFile, path: Path) -> tuple[Profile, ...]:
    """Counted instructions times the engine file's cycles per instruction."""
    scale = file.kernel_cycles.per_instruction
    if scale is None:
        raise BoardError(f"{path}: cycles.per_instruction is missing; a counted fit needs it")
    seen = fit.networks_cycles_per_instruction
    # The interval holds every network that was timed, whatever its build.
    wide = Estimate(scale.value, min(scale.low, seen.low), max(scale.high, seen.high))
    work = _Counted(fit.kernels, wide, file.kernel_cycles.dispatch, _assumed(file))
    one = Estimate.exact(1.0)
    return (
        Profile("Cortex-M7", "Cortex-M7", "", one, work,
                anchored=seen.anchored, anchored_on=seen.anchored_on),
    )  # fmt: skip


@dataclass(frozen=True)
class _Counted:
    """Instructions by kernel, times cycles per instruction."""

    laws: dict[str, KernelFile]
    scale: Estimate
    dispatch: Estimate
    others: Law

    def __call__(self, kernel: str, shape: Geometry) -> Work:
        if kernel not in self.laws:
            return self.others(kernel, shape)
        law, features = self.laws[kernel], CLASSES[kernel].features(shape)
        counts = sum(c * f for c, f in zip(law.instructions, features, strict=True))
        cycles = Estimate(
            counts * self.scale.value,
            counts * self.scale.low * (1 - law.p90_error),
            counts * self.scale.high * (1 + law.p90_error),
        )
        # Element-wise kernels are linear at every size.
        inside = kernel in ("add", "softmax") or law.limits.hold(shape)
        return Work(kernel, self.dispatch + cycles, inside, False)


def timed_profiles(
    file: EngineFile, timed: TimedFit, fit: FitFile, errors: dict[str, float]
) -> tuple[Profile, ...]:
    base = timed.profiles["Cortex-M7"].per_instruction.value
    profiles = []
    for name, found in timed.profiles.items():
        ratio = found.per_instruction.value / base
        dispatch = file.kernel_cycles.dispatch.times(ratio)
        scale, assumed = found.per_instruction.estimate(), _assumed(file, ratio)
        counted = _Counted(fit.kernels, scale, dispatch, assumed)
        profiles.append(
            Profile(
                name,
                found.core,
                found.part,
                found.network.estimate(),
                _Timed(found.kernels, dispatch, counted),
                anchored=found.anchored,
                holds_boards=found.holds_boards,
            )
        )
        if found.mean_error is not None:
            errors[f"networks {found.core}"] = found.mean_error
        for kernel, law in found.kernels.items():
            if law.mean_error is not None:
                errors[f"{kernel} {name}"] = law.mean_error
    return tuple(profiles)


@dataclass(frozen=True)
class _Timed:
    """Cycles by kernel."""

    laws: dict[str, TimedKernel]
    dispatch: Estimate
    others: Law

    def __call__(self, kernel: str, shape: Geometry) -> Work:
        name = timed_class(kernel, shape)
        if name is None or name not in self.laws:
            return self.others(kernel, shape)
        law, features = self.laws[name], TIMED[name].features(shape)
        value = sum(c * f for c, f in zip(law.cycles, features, strict=True))
        cycles = Estimate.exact(value).widened(law.half_width)
        # ST's tools call the code that a layer links by another name.
        linked = self.others(kernel, shape).kernel
        return Work(linked, self.dispatch + cycles, law.limits.hold(shape), False)


def st_profiles(
    file: EngineFile, version: StVersion, errors: dict[str, float]
) -> tuple[Profile, ...]:
    """Laws of ST's tools of one version, from the file of the fit."""
    profiles = []
    for core, law in version.cores.items():
        dispatch = file.kernel_cycles.dispatch.times(law.ratio)
        work = _ByFeatures(law, dispatch, _assumed(file, law.ratio))
        regimes = Regimes(**{f.name: getattr(law, f.name).estimate() for f in fields(Regimes)})
        profiles.append(Profile(core, core, "", regimes.seen_large, work, regimes, law.parts))
        errors[f"networks {core}"] = law.mean_error
    return tuple(profiles)


def st_memory(found: StMemory) -> tuple[FlashRules, SramRules]:
    """Memory rules of ST's tools of one version; weights are stored as they are."""
    zero = Estimate.exact(0)
    code, runtime = found.code.estimate(), found.runtime.estimate()
    flash = FlashRules.model_construct(
        interpreter=code.times(found.code_base),
        model_base=zero, model_per_op=zero, model_per_weighted_op=zero, model_per_channel=zero,
        code_per_op=code.times(found.code_per_op),
        needs={"conv_2d": ("conv",), "sub": ("add",), "mul": ("add",)},
        kernels={**{name: code.times(n) for name, n in found.kernels.items()}, "mul": zero,
                 "sub": zero},
    )  # fmt: skip
    sram = SramRules.model_construct(
        arena_base=zero, arena_per_op=zero, arena_per_channel=zero,
        arena_factor=found.activations.estimate(),
        runtime=runtime.times(found.runtime_base),
        runtime_per_op=runtime.times(found.runtime_per_op),
    )  # fmt: skip
    return flash, sram


@dataclass(frozen=True)
class _ByFeatures:
    """The law of ST's tools on one core."""

    law: StLaw
    dispatch: Estimate
    assumed: Law

    def __call__(self, kernel: str, shape: Geometry) -> Work:
        if kernel.startswith("conv"):
            op = "conv"
        elif kernel.startswith("depthwise"):
            op = "depthwise_conv"
        else:
            op = kernel
        features = st.features(op, shape)
        cycles = Estimate.exact(sum(c * n for c, n in zip(self.law.cycles, features, strict=True)))
        if op not in WEIGHTED_OPS:
            work = self.assumed(kernel, shape)
            return replace(work, cycles=work.cycles + cycles)
        line = st.is_line(op, (shape.kernel_h, shape.kernel_w))
        inside = self.law.limits.hold(shape) and (self.law.lines or not line)
        return Work(st.code_kernel(op, shape), self.dispatch + cycles, inside, False)


@dataclass(frozen=True)
class _Scaled:
    """Another law times a factor."""

    law: Law
    factor: float = 1.0
    calibrated: bool = True

    def __call__(self, kernel: str, shape: Geometry) -> Work:
        work = self.law(kernel, shape)
        calibrated = work.calibrated and self.calibrated
        return replace(work, cycles=work.cycles.times(self.factor), calibrated=calibrated)


def _level_known(law: Law) -> Law:
    """The law without what was open of its level: a build needs so many cycles an instruction."""
    if isinstance(law, _Counted):
        return replace(law, scale=Estimate.exact(law.scale.value))
    return replace(law, law=_level_known(law.law)) if isinstance(law, _Scaled) else law


def carried(profiles: tuple[Profile, ...], file: EngineFile) -> tuple[Profile, ...]:
    """Profiles of cores that have a ratio to the Cortex-M7 and nothing else."""
    base = nearest(profiles, "Cortex-M7", "")
    if file.kind == "program":
        return tuple(
            Profile(core, core, "", base.network.times(ratio), _no_layer)
            for core, ratio in file.core_ratios.items()
        )
    law = _Scaled(base.work, calibrated=False)
    return tuple(
        Profile(core, core, "", base.network.times(ratio), law, anchored=_two_draws(ratio))
        for core, ratio in file.core_ratios.items()
    )


def _two_draws(ratio: Estimate) -> float:
    """Half width in logs of one network on a core when another one is known.

    The ratio spans how networks differ there, and two of them lie further apart than one from the
    middle.
    """
    return math.sqrt(2) * math.log(ratio.high / ratio.low) / 2


def calibrated(
    profiles: tuple[Profile, ...], file: EngineFile, found: CalibrationFile, path: Path
) -> tuple[Profile, ...]:
    """The profiles with a user's own in the place of those of the same core."""
    for kernel, law in found.kernels.items():
        where = f"{path}: calibration.kernels.{kernel}"
        check_features(law.features, TIMED, kernel, where=where, again="`ppgnas calibrate` again")
    others = tuple(p for p in profiles if p.core != found.core)
    if file.kind == "program":
        if found.kernels:
            raise BoardError(
                f"{path}: generated C has no single kernels; remove [calibration.kernels]"
            )
        network = found.network.estimate().times(found.scale)
        return (Profile(found.part, found.core, "", network, _no_layer), *others)
    base = nearest(profiles, found.core, found.part)
    # The dispatch of every call is in the base's work; laws of kernels go beside it.
    scaled = _Scaled(_level_known(base.work), found.scale)
    dispatch = file.kernel_cycles.dispatch
    laws = _Timed(found.kernels, dispatch, scaled) if found.kernels else scaled
    own = Profile(found.part, found.core, "", found.network.estimate(), laws)
    return (own, *others)
