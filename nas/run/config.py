"""What a search is asked to do: one frozen value, written to `run.toml`.

Messages name arguments in backticks; the command line shows them as its options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal, get_args

from pydantic import StringConstraints, TypeAdapter

from distill.teachers.names import NONE, chosen, reading
from distill.training.effort import AUTO
from hwmodels.path import USUAL, Surroundings
from nas.run.target import check_period
from nas.run.windows import ANY, WindowChoice, mode_of
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from ppgnas.errors import BudgetError, PpgnasError
from ppgnas.parsing import Word, one_of
from ppgnas.task import INPUTS, PPG_ACC, Mode

Objective = Literal["mae", "latency", "flash", "sram", "power"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
SAMPLERS = ("nsga2", "nsga3", "tpe", "gp", "random")
HUB = "optunahub:"
_SAMPLER = f"^({'|'.join(SAMPLERS)}|[A-Za-z]+Sampler|{HUB}.+)$"
Scope = Literal["total", "network", "model"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
# Architectures considered unless `trials` says otherwise.
EFFORT_TRIALS = {"smoke": 60, "quick": 1500, "standard": 3000, "thorough": 6000}
SHORTEST_S = 60.0  # nothing useful is trained in less
LARGEST_SEED = 2**31 - 1  # what the samplers take, with room to count on from it
DEVICES = ("auto", "cpu", "cuda")
SYNTHETIC = "synthetic"


class ConfigError(PpgnasError, ValueError):
    """An argument has a value that is not allowed, or contradicts another."""


@dataclass(frozen=True)
class Budgets:
    """Limits on what a candidate may cost; None is no limit.

    Attributes:
        flash_bytes, latency_ms, sram_bytes, power_mw: of a reading; power is the average.
        scope: `total` is the network with its code and runtime and, with sensors, what stands
            around it; `network` leaves that out; `model` is that with the weights as flash.
    """

    flash_bytes: int | None = None
    latency_ms: float | None = None
    sram_bytes: int | None = None
    power_mw: float | None = None
    scope: Scope = "total"

    @property
    def count_path(self) -> bool:
        """Whether they limit what stands around the network too."""
        return self.scope == "total"

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by the name of what they limit."""
        limits = self.flash_bytes, self.latency_ms, self.sram_bytes, self.power_mw
        named = zip(("flash", "latency", "sram", "power"), limits, strict=True)
        return {name: float(limit) for name, limit in named if limit is not None}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training, whose people it sees, and the device that it is judged for.

    Attributes:
        data: `synthetic` or a folder of recordings.
        effort: training time, a name of `EFFORT_TRIALS`; `smoke` only tries the path.
        teacher: its name, see `distill.teachers.names.files_of`.
        recipe: stages of a network's training, a name or a path; see `distill.training.recipe`.
        mode: whether networks read windows, or stream; see `ppgnas.task`.
        report_data: folder of the report people, or None to draw them from `data`.
        report_from: data set that report people are drawn from, or None for any.
        split: file with the three lists of people, or None to draw them.
        unlabelled: folder of recordings that a teacher alone labels, or None.
        channels: see `ppg.recording.with_channels`.
        period_s: time from one reading to the next, for the average power.
        device: one of `DEVICES`, that trains: `auto` is a GPU where torch sees one. A run may go
            on on another, so it is no part of what a run was asked.
        distill: what a student learns from, see `distill.losses.mix`; `auto` leaves it to
            `effort`.
        student_inputs: what a network reads, or None for what its architecture says, in a search
            the space.
        teacher_inputs: what its teacher reads, or None for what the students read; see
            `taught_by`.
    """

    data: str = SYNTHETIC
    effort: str = "standard"
    teacher: str = "none"
    recipe: str = "direct"
    mode: Mode = "window"
    report_data: str | None = None
    report_from: str | None = None
    split: str | None = None
    unlabelled: str | None = None
    channels: str | None = None
    seed: int = 0
    board: str = DEFAULT_BOARD
    engine: str = DEFAULT_ENGINE
    period_s: float = 2.0
    device: str = field(default="auto", compare=False)
    distill: str = AUTO
    student_inputs: str | None = None
    teacher_inputs: str | None = None
    windows: WindowChoice = ANY

    def __post_init__(self) -> None:
        check_choice("effort", self.effort, tuple(EFFORT_TRIALS))
        mode_of(self.mode)
        check_choice("device", self.device, DEVICES)
        for name in ("student_inputs", "teacher_inputs"):
            if (inputs := getattr(self, name)) is not None:
                check_choice(name, inputs, INPUTS)
        if self.teacher_inputs and self.teacher == NONE:
            raise ConfigError(
                f"`teacher_inputs` is {self.teacher_inputs}, and `teacher` is none: name one, "
                "such as `teacher` auto, or leave `teacher_inputs` out"
            )
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ConfigError(f"`seed` is {self.seed}; allowed: 0 to {LARGEST_SEED}")
        if self.unlabelled and self.teacher == "none":
            raise ConfigError(
                f"`unlabelled` {self.unlabelled} needs a teacher, and `teacher` is none: without "
                "a reference its labels are all there is to learn from. Name one, such as "
                "`teacher` auto, or leave `unlabelled` out"
            )
        if not self.period_s > 0:
            raise ConfigError(f"`rate` is {self.period_s:g} s; it must be above 0")
        if self.windows.stride_s is None:
            check_period(self.period_s, self.mode)
        if self.split and (self.report_data or self.report_from):
            raise ConfigError(
                f"`split` {self.split} already names the report people; leave out "
                "`report_data` and `report_from`, or `split`"
            )
        if self.report_data and self.report_from:
            raise ConfigError(
                f"`report_data` {self.report_data} and `report_from` {self.report_from} both "
                "choose the report people; give one of them"
            )

    @property
    def taught_by(self) -> str:
        """The name of the teacher, which says what it reads."""
        return reading(chosen(self.teacher, effort=self.effort), self.teacher_inputs)

    @property
    def taught_with_acceleration(self) -> bool:
        """Whether windows must hold acceleration for the teacher, whoever else reads it."""
        return self.teacher_inputs == PPG_ACC


@dataclass(frozen=True, kw_only=True)
class SearchConfig(TrainConfig):
    """A resolved search.

    Attributes:
        objectives: names of `OBJECTIVES`, minimised together.
        sampler: one of `SAMPLERS`, a class of Optuna, or a package of OptunaHub; see
            `nas.explore.samplers.make_sampler`.
        finalists: how many of the front to retrain at most.
        also: further boards, on which the budgets hold too; the costs are those of `board`.
        dask: the cluster that trains networks side by side, or None for the cores of this
            machine; as `device` no part of what a run was asked.
        storage: the database whose machines train networks together, or None; likewise.
        supernet: whether networks begin with the weights of one that is trained before them.
        time_s: of the whole search, which decides how long everything is trained; None leaves
            that to `effort`.
    """

    budgets: Budgets
    around: Surroundings = USUAL
    space: str = "default"
    objectives: tuple[Objective, ...] = ("mae", "latency", "flash")
    sampler: Annotated[str, StringConstraints(pattern=_SAMPLER)] = "nsga2"
    trials: int = EFFORT_TRIALS["quick"]
    finalists: int = 8
    supernet: bool = False
    time_s: float | None = None
    also: tuple[str, ...] = ()
    dask: str | None = field(default=None, compare=False)
    storage: str | None = field(default=None, compare=False)
    effort: str = "quick"
    teacher: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not re.fullmatch(_SAMPLER, self.sampler):
            check_choice("sampler", self.sampler, (*SAMPLERS, "NAMESampler", f"{HUB}PACKAGE"))
        check_choice("budget_scope", self.budgets.scope, SCOPES)
        for objective in self.objectives:
            check_choice("objectives", objective, OBJECTIVES)
        if "mae" not in self.objectives or len(set(self.objectives)) != len(self.objectives):
            raise ConfigError(
                f"`objectives` is {','.join(self.objectives)!r}; name mae and any of "
                f"{', '.join(OBJECTIVES[1:])}, each once. For example `objectives` mae,latency"
            )
        for name, value in (("trials", self.trials), ("finalists", self.finalists)):
            if value < 1:
                raise ConfigError(f"`{name}` is {value}; it must be at least 1")
        if self.time_s is not None and not self.time_s >= SHORTEST_S:
            raise ConfigError(
                f"`time` is {self.time_s:g} s; it must be at least {SHORTEST_S:g} s. "
                "Write for example `time` 10min"
            )
        if not self.budgets.limits:
            raise BudgetError(
                "no budget is given; allowed: `budget` (flash), `latency`, `sram`, `power`. "
                "Write for example `budget` 80KB"
            )

    def to_tables(self) -> dict[str, dict[str, Any]]:
        """The tables of `run.toml` that say what was asked; absent keys are None."""
        tables = {
            "run": {"seed": self.seed},
            "search": {
                "space": self.space,
                "trials": self.trials,
                "sampler": self.sampler,
                "objectives": list(self.objectives),
                "finalists": self.finalists,
                "effort": self.effort,
                "teacher": self.teacher,
                "recipe": None if self.recipe == "direct" else self.recipe,
                "mode": None if self.mode == "window" else self.mode,
                "distill": self.distill,
                **self.windows.to_table(),
                "student_inputs": self.student_inputs,
                "teacher_inputs": self.teacher_inputs,
                "supernet": self.supernet or None,
                "time_s": self.time_s,
            },
            "budgets": asdict(self.budgets),
            "path": asdict(self.around),
            "target": {
                "board": self.board,
                "also": list(self.also) or None,
                "engine": self.engine,
                "period_s": self.period_s,
            },
            "data": {
                "source": self.data,
                "report_data": self.report_data,
                "report_from": self.report_from,
                "split_file": self.split,
                "channels": self.channels,
            },
        }
        if self.unlabelled is not None:
            tables["unlabelled"] = {"source": self.unlabelled}
        return {
            name: {key: value for key, value in table.items() if value is not None}
            for name, table in tables.items()
        }

    @staticmethod
    def from_tables(document: Mapping[str, Any]) -> SearchConfig:
        """Read `to_tables` back; tables and keys that it does not write are ignored.

        Raises:
            KeyError: a table or key is missing.
            ValueError: a value is of the wrong type, or none that is allowed.
        """
        data, search = document["data"], document["search"]
        values = {
            **{name: value for name, value in search.items() if name not in asdict(ANY)},
            **document["target"],
            **data,
            "data": data["source"],
            "split": data.get("split_file"),
            "unlabelled": document.get("unlabelled", {}).get("source"),
            "recipe": search.get("recipe", "direct"),  # `data` has another one
            "seed": document["run"]["seed"],
            "budgets": document["budgets"],
            "around": document.get("path", {}),
            "windows": {name: search[name] for name in asdict(ANY) if name in search},
        }
        if "path" not in document and document["budgets"].get("scope") == "total":
            # Runs of before it was counted meant the network by all.
            values["budgets"] = {**document["budgets"], "scope": "network"}
        # Runs of before mixes had names learnt from this one.
        values.setdefault("distill", NONE if values["teacher"] == NONE else "label:0.5,soft:0.5")
        optional = {"report_data", "report_from", "channels", "time_s", "device", "dask", "mode"}
        optional |= {"student_inputs", "teacher_inputs", "storage", "also", "supernet"}
        written = {each.name for each in fields(SearchConfig)} - optional
        if not written <= set(values):
            raise KeyError(min(written - set(values)))
        return _CONFIG.validate_python(values)


_CONFIG = TypeAdapter(SearchConfig)


def check_choice(name: str, value: str, allowed: Sequence[Word]) -> Word:
    """The value of an argument; refuses one that is none of those allowed."""
    return one_of(name, value, allowed, ConfigError)
