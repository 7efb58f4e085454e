"""The elastic dimensions of a search space: counted, sampled, mutated, read from TOML.

Every function returns canonical architectures: choices that cannot act (the dilation that does
not divide the time steps, a shortcut between different shapes, the choices of a stage of depth 0)
are clamped, so equal networks are equal values.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from ppgnas.errors import SpaceError
from ppgnas.task import TASK, WINDOWS_S, Task
from ppgnas.toml_file import read_toml
from search_spaces.arch import (
    LARGEST_SPACING,
    POOLINGS,
    RATES_HZ,
    Arch,
    StageArch,
    head_spacings,
    pooled_s,
)
from search_spaces.published import published
from search_spaces.stages import (
    StageSpace,
    all_stages,
    clamped,
    count_stages,
    near_spacing,
    trunk_steps,
)
from search_spaces.streaming import reads_too_far, shortened, streaming_pools, streaming_rates

PRESETS = ("tiny", "default", "wide")
Choice = bool | int | str
# Choices before the stages and after them, by their names in `Arch`.
_FRONT = ("acceleration", "rate_hz", "stem_width", "stem_kernel")
_END = ("pooling", "head_width", "head_spacing")
_IN_STAGES = tuple(each.name for each in fields(StageSpace))
_ALLOWED: dict[str, Collection[Choice]] = {
    "acceleration": (False, True),
    "rate_hz": RATES_HZ,
    "pooling": POOLINGS,
    "stem_width": range(4, 257, 4),
    "stem_kernel": range(4, 33),
    "head_width": range(0, 513, 4),
    "head_spacing": range(1, LARGEST_SPACING + 1),
}
_WINDOW, _PUBLISHED = "window_s", "published"
_ALLOWED_IN_STAGES: dict[str, Collection[Choice]] = {
    "depth": range(0, 9),
    "width": range(4, 257, 4),
    "kernel": range(2, 33),
    "dilation": (1, 2, 4, 8, 16, 32),
    "expansion": range(1, 9),
    "stride": (1, 2, 4),
    "residual": (False, True),
}


class Trial(Protocol):
    """The one method of an Optuna trial that a space needs."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Choose one of `choices`."""


@dataclass(frozen=True)
class SearchSpace:
    """All networks that a search may choose from.

    Attributes:
        name: preset or file name.
        acceleration, rate_hz: front ends.
        stem_width, stem_kernel, pooling, head_width, head_spacing: see `Arch`.
        stages: see `StageSpace`.
        pool_s: see `Arch`; empty is the whole window.
        window_s: lengths of windows, a dimension where there are several.
        stride_s, lowest_bpm, highest_bpm: of all networks, see `ppgnas.task.Task`.
        streams: whether all networks can stream, see `search_spaces.streaming`.
        published: names of networks that a search may choose as they are, beside those of the
            choices; see `search_spaces.published`.
    """

    name: str
    acceleration: tuple[bool, ...]
    rate_hz: tuple[int, ...]
    stem_width: tuple[int, ...]
    stem_kernel: tuple[int, ...]
    stages: tuple[StageSpace, ...]
    pooling: tuple[str, ...]
    head_width: tuple[int, ...]
    head_spacing: tuple[int, ...]
    # Checkpoints know spaces by their text, and weights are the same for all of these.
    pool_s: tuple[int, ...] = field(default=(), repr=False)
    streams: bool = field(default=False, repr=False)
    window_s: tuple[int, ...] = field(default=(TASK.window_s,), repr=False)
    stride_s: int = field(default=TASK.stride_s, repr=False)
    lowest_bpm: int = field(default=TASK.lowest_bpm, repr=False)
    highest_bpm: int = field(default=TASK.highest_bpm, repr=False)
    published: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        self._check(_WINDOW, self.window_s, _windows(self.stride_s))
        allowed_here = _ALLOWED | {"head_spacing": head_spacings(self.task.classes)}
        for choice, allowed in allowed_here.items():
            self._check(choice, getattr(self, choice), allowed)
        if self.pool_s:
            shortest = replace(self.task, window_s=self.window_s[0])
            self._check("pool_s", self.pool_s, pooled_s(shortest))
        for name in self.published:
            published(name)
        if not self.stages:
            raise SpaceError(f"space {self.name}: no stages; give at least one [[stages]] table")
        for number, stage in enumerate(self.stages):
            for choice, allowed in _ALLOWED_IN_STAGES.items():
                self._check(f"stages[{number}].{choice}", getattr(stage, choice), allowed)
            if min(stage.kernel) < max(stage.stride):
                raise SpaceError(
                    f"space {self.name}: stages[{number}] has kernel {min(stage.kernel)} below "
                    f"stride {max(stage.stride)}, which would skip samples; raise the kernel"
                )

    def _check(self, what: str, choices: tuple[Any, ...], allowed: Any) -> None:
        if not choices:
            raise SpaceError(f"space {self.name}: {what} has no choices; give at least one")
        for value in choices:
            if type(value) is not type(allowed[-1]) or value not in allowed:
                shown = (
                    f"{allowed.start} to {allowed[-1]} in steps of {allowed.step}"
                    if isinstance(allowed, range)
                    else ", ".join(map(str, allowed))
                )
                raise SpaceError(f"space {self.name}: {what} holds {value!r}; allowed: {shown}")
        if list(choices) != sorted(set(choices)):
            raise SpaceError(f"space {self.name}: {what} must rise without repeats: {choices}")

    @staticmethod
    def preset(name: str) -> SearchSpace:
        """One of `PRESETS`, from the TOML file beside this module."""
        if name not in PRESETS:
            raise SpaceError(
                f"space {name!r} is unknown; presets: {', '.join(PRESETS)}, or a path to a .toml"
            )
        return SearchSpace.from_toml(Path(__file__).parent / "presets" / f"{name}.toml")

    @staticmethod
    def from_toml(path: Path) -> SearchSpace:
        """Read a space of one's own.

        Raises:
            SpaceError: the file cannot be read, lacks a key, has an unknown one or a bad choice.
        """
        document = read_toml(path, SpaceError)
        stages = document.get("stages", [])
        if not isinstance(stages, list) or not all(isinstance(item, dict) for item in stages):
            raise SpaceError(f"space file {path}: stages is no list of tables; write [[stages]]")
        optional = {"pool_s": [], _WINDOW: [TASK.window_s], _PUBLISHED: [], "stages": []}
        _check_keys(str(path), {**optional, **document}, {*_ALLOWED, *optional})
        parsed = []
        for number, stage in enumerate(stages):
            _check_keys(f"{path}: stages[{number}]", stage, set(_ALLOWED_IN_STAGES))
            parsed.append(StageSpace(**{key: tuple(value) for key, value in stage.items()}))
        choices: dict[str, Any] = {key: tuple(value) for key, value in document.items()}
        return SearchSpace(name=path.stem, **{**choices, "stages": tuple(parsed)})

    def restricted(self, *, acceleration: bool) -> SearchSpace:
        """The same space with one front end, for recordings that allow no other."""
        if acceleration not in self.acceleration:
            raise SpaceError(
                f"space {self.name}: no architecture with acceleration = {acceleration}; "
                f"choices: {self.acceleration}"
            )
        return replace(self, acceleration=(acceleration,))

    @cached_property
    def task(self) -> Task:
        """What networks read, of the longest window, how often, and what they answer with."""
        return Task(max(self.window_s), self.stride_s, self.lowest_bpm, self.highest_bpm)

    @property
    def _blocks(self) -> int:
        return self.task.blocks * self.streams

    def at_tasks(self, tasks: Sequence[Task]) -> SearchSpace:
        """The same space for other windows or classes.

        Args:
            tasks: that differ by their windows alone; networks choose among these. A spacing of
                the head that does not divide the classes becomes the nearest that does.
        """
        first, classes = tasks[0], tasks[0].classes
        return replace(
            self,
            head_spacing=tuple(sorted({near_spacing(s, classes) for s in self.head_spacing})),
            window_s=tuple(sorted({task.window_s for task in tasks})),
            stride_s=first.stride_s,
            lowest_bpm=first.lowest_bpm,
            highest_bpm=first.highest_bpm,
        )

    def streaming(self) -> SearchSpace:
        """The same space, of networks that can stream.

        What streams is late by half of what it pools over, so it may pool over less, unless the
        space says otherwise. None is of `published`, which reach as far back as they like.

        Raises:
            SpaceError: every way to pool, or every rate, cannot; or windows are several.
        """
        if len(self.window_s) > 1:
            raise SpaceError(
                f"space {self.name}: windows are {self.window_s} s, and a stream is normalised "
                "over one: give one `window`, or choose `mode` window"
            )
        if "avg" not in self.pooling:
            raise SpaceError(
                f"space {self.name}: pooling is {self.pooling}, and streaming pools by avg; add "
                "it, or choose `mode` window"
            )
        rate_hz = streaming_rates(self.rate_hz, self.stride_s)
        pool_s = self.pool_s or streaming_pools(self.task)
        chosen: dict[str, Any] = {"rate_hz": rate_hz, "pooling": ("avg",), "pool_s": pool_s}
        return replace(self, **chosen, streams=True, published=())

    # ---- canonical form -----------------------------------------------------------------------

    def canonical(self, arch: Arch) -> Arch:
        """Clamp the choices that cannot act, and in streaming those that reach too far back."""
        if not self.streams:
            return self.clamped(arch)
        # One shortened in vain, before another, may do: `choices_of` must build the same again.
        return self._near(self._chosen(self.choices_of(self._near(arch))))

    def clamped(self, arch: Arch) -> Arch:
        """Without the choices that cannot act."""
        return clamped(arch, streams=self.streams)

    def _near(self, arch: Arch) -> Arch:
        """Clamped, and shortened until it reads no further back than allowed."""
        arch = self.clamped(arch)
        if reads_too_far(arch):
            shorter = shortened(arch)
            return arch if shorter == arch else self._near(shorter)
        return arch

    # ---- choosing -----------------------------------------------------------------------------

    @cached_property
    def dimensions(self) -> dict[str, tuple[Any, ...]]:
        """Every choice by the name under which Optuna sees it."""
        named: dict[str, tuple[Any, ...]] = {name: getattr(self, name) for name in _FRONT}
        for number, stage in enumerate(self.stages):
            for choice in _IN_STAGES:
                named[f"stage{number}.{choice}"] = getattr(stage, choice)
        several = {"pool_s": bool(self.pool_s), _WINDOW: len(self.window_s) > 1}
        end = (*_END, *(name for name, chosen in several.items() if chosen))
        return named | {name: getattr(self, name) for name in end}

    def build(self, choices: Mapping[str, Choice]) -> Arch:
        """The canonical arch of one choice per dimension."""
        return self.canonical(self._chosen(choices))

    def _chosen(self, choices: Mapping[str, Choice]) -> Arch:
        stages = []
        for number in range(len(self.stages)):
            of_stage: Any = {name: choices[f"stage{number}.{name}"] for name in _IN_STAGES}
            stages.append(StageArch(**of_stage))
        others: Any = {
            name: choices[name] for name in self.dimensions if not name.startswith("stage")
        }
        task = vars(self.task) | {_WINDOW: self.window_s[0]}
        return Arch(stages=tuple(stages), **{**task, **others})

    def suggest(self, trial: Trial) -> Arch:
        """The architecture that an Optuna trial proposes."""
        return self.build(
            {
                name: trial.suggest_categorical(name, values)
                for name, values in self.dimensions.items()
            }
        )

    def choices_of(self, arch: Arch) -> dict[str, Choice]:
        """Choices that build `arch` again; what a depth-0 stage left open takes the smallest."""
        choices: dict[str, Choice] = {
            name: getattr(arch, name) for name in self.dimensions if not name.startswith("stage")
        }
        for number, stage in enumerate(arch.stages):
            for choice in _IN_STAGES:
                name, value = f"stage{number}.{choice}", getattr(stage, choice)
                allowed = self.dimensions[name]
                choices[name] = value if value in allowed else allowed[0]
        return choices

    def sample(self, rng: random.Random) -> Arch:
        """Uniform over the choices of each dimension."""
        return self.build({name: rng.choice(values) for name, values in self.dimensions.items()})

    def mutate(self, arch: Arch, rng: random.Random, *, rate: float = 0.15) -> Arch:
        """Redraw each choice with probability `rate`, at least one of them."""
        choices = self.choices_of(arch)
        names = [name for name, values in self.dimensions.items() if len(values) > 1]
        picked = [name for name in names if rng.random() < rate]
        for name in picked or ([rng.choice(names)] if names else []):
            choices[name] = rng.choice(self.dimensions[name])
        return self.build(choices)

    def smallest(self) -> Arch:
        """The lowest choice everywhere.

        Strides and spacings take their largest value, which makes the fewest time steps and
        outputs.
        """
        return self._end(0, "stride", "spacing")

    def largest(self) -> Arch:
        """The highest choice everywhere."""
        return self._end(-1, "stride", "spacing", "pooling")

    def _end(self, index: int, *turned: str) -> Arch:
        """The first (0) or last (-1) choices, and the opposite of names that end as `turned`."""
        chosen = {
            name: values[-1 - index if name.endswith(turned) else index]
            for name, values in self.dimensions.items()
        }
        return self.build(chosen)

    # ---- counting -----------------------------------------------------------------------------

    @cached_property
    def size(self) -> int:
        """Exact number of different (canonical) networks.

        Where they stream, those that reach too far back count as well: no other is shorter.
        """
        total = 0
        for rate, window_s in itertools.product(self.rate_hz, self.window_s):
            for stem_width in self.stem_width:
                steps = trunk_steps(rate, window_s)
                total += count_stages(self.stages, stem_width, steps, self._blocks)
        heads = len(self.pooling) * len(self.head_width) * len(self.head_spacing)
        heads *= len(self.pool_s) or 1
        return total * len(self.stem_kernel) * heads * len(self.acceleration)

    def __iter__(self) -> Iterator[Arch]:
        """Every network once; only sensible for a small space."""
        ends = (self.stem_kernel, self.pooling, self.head_width, self.head_spacing)
        for acceleration, rate, stem_width, window_s in itertools.product(
            self.acceleration, self.rate_hz, self.stem_width, self.window_s
        ):
            steps, pool_s = trunk_steps(rate, window_s), self.pool_s or (0,)
            task = asdict(self.task) | {_WINDOW: window_s}
            for stages in all_stages(self.stages, stem_width, steps, self._blocks):
                for kernel, pooling, head, spacing, newest in itertools.product(*ends, pool_s):
                    front = acceleration, rate, stem_width, kernel
                    arch = Arch(*front, stages, pooling, head, spacing, newest, **task)
                    if not self.streams or self.canonical(arch) == arch:
                        yield arch


def _windows(stride_s: int) -> tuple[int, ...]:
    low, high = WINDOWS_S
    return tuple(s for s in range(low, high + 1) if s % stride_s == 0)


def _check_keys(where: str, document: Mapping[str, object], wanted: set[str]) -> None:
    for problem, keys in (
        ("lacks", wanted - document.keys()),
        ("has the unknown key", document.keys() - wanted),
    ):
        if keys:
            raise SpaceError(
                f"space file {where} {problem} {', '.join(sorted(keys))}; "
                f"allowed: {', '.join(sorted(wanted))}"
            )
    for key in sorted(wanted):
        if not isinstance(document[key], list):
            raise SpaceError(
                f"space file {where}: {key} is {document[key]!r}; expected a list of choices"
            )


def load_space(name: str) -> SearchSpace:
    """A preset, or a TOML file.

    Raises:
        SpaceError: neither.
    """
    if name in PRESETS or not name.endswith(".toml"):
        return SearchSpace.preset(name)
    return SearchSpace.from_toml(Path(name))
