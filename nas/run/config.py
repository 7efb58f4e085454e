"""What a search is asked to do: one frozen value, resolved from options and written to `run.toml`.

An option that was not given is None until `resolve` fills it in, so that a resumed run can tell
"not given" (take what the run has) from "given and different" (say so and stop).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from nas.run import units
from ppgnas.defaults import DEFAULT_BOARD, DEFAULT_ENGINE
from ppgnas.errors import BudgetError, PpgnasError

Objective = Literal["mae", "latency", "flash", "sram", "power"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
Sampler = Literal["nsga2", "nsga3", "tpe", "gp", "random"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
Scope = Literal["total", "model"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
# Architectures considered unless --trials says otherwise.
EFFORT_TRIALS = {"smoke": 60, "quick": 1500, "standard": 3000, "thorough": 6000}
GP_TRIALS = 150  # a Gaussian process takes seconds a trial once it has a few hundred
LARGEST_SEED = 2**31 - 1  # what the samplers take, with room to count on from it
TEACHERS = ("resnet-small", "none")
SYNTHETIC = "synthetic"


class ConfigError(PpgnasError, ValueError):
    """An option of a search has a value that is not allowed, or contradicts another."""


def teacher_file(teacher: str) -> Path | None:
    """The file of a teacher; None for a name of `TEACHERS`.

    Raises:
        ConfigError: it is neither a name nor a file.
    """
    if teacher in TEACHERS:
        return None
    if not Path(teacher).is_file():
        raise ConfigError(
            f"--teacher {teacher!r} is neither {' nor '.join(TEACHERS)} nor a file; name one of "
            "them, or the path of a teacher that a run left in its cache"
        )
    return Path(teacher)


@dataclass(frozen=True)
class Budgets:
    """Limits on what a candidate may cost; None is no limit.

    Attributes:
        flash_bytes: on weights + code + runtime, or on the model alone if `scope` is `model`.
        latency_ms, sram_bytes, power_mw: of one inference, of all memory, on average.
        scope: `total` or `model`.
    """

    flash_bytes: int | None = None
    latency_ms: float | None = None
    sram_bytes: int | None = None
    power_mw: float | None = None
    scope: Scope = "total"

    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set, by the name of what they limit."""
        named = {
            "flash": self.flash_bytes,
            "latency": self.latency_ms,
            "sram": self.sram_bytes,
            "power": self.power_mw,
        }
        return {name: float(limit) for name, limit in named.items() if limit is not None}


@dataclass(frozen=True)
class SearchConfig:
    """A resolved search.

    Attributes:
        budgets: see `Budgets`.
        data: `synthetic` or a folder of recordings.
        report_data: folder of the report people, or None to draw them from `data`.
        report_from: data set that report people are drawn from, or None for any.
        split: file with the three lists of people, or None to draw them.
        space: preset or path of a TOML file.
        board, engine: names or paths.
        period_s: time from one reading to the next, for the average power.
        objectives: names of `OBJECTIVES`, minimised together.
        sampler: one of `SAMPLERS`.
        trials: architectures to consider.
        seed: of everything that is drawn.
        finalists: how many of the front to retrain at most.
        effort: training time, a name of `EFFORT_TRIALS`; `smoke` only tries the path.
        teacher: `resnet-small`, `none` or the path of a teacher.
    """

    budgets: Budgets
    data: str = SYNTHETIC
    report_data: str | None = None
    report_from: str | None = None
    split: str | None = None
    space: str = "default"
    board: str = DEFAULT_BOARD
    engine: str = DEFAULT_ENGINE
    period_s: float = 2.0
    objectives: tuple[Objective, ...] = ("mae", "latency", "sram")
    sampler: Sampler = "nsga2"
    trials: int = EFFORT_TRIALS["quick"]
    seed: int = 0
    finalists: int = 8
    effort: str = "quick"
    teacher: str = "resnet-small"

    def __post_init__(self) -> None:
        _check_choice("--sampler", self.sampler, SAMPLERS)
        _check_choice("--effort", self.effort, tuple(EFFORT_TRIALS))
        _check_choice("--budget-scope", self.budgets.scope, SCOPES)
        for name in self.objectives:
            _check_choice("--objectives", name, OBJECTIVES)
        if "mae" not in self.objectives or len(set(self.objectives)) != len(self.objectives):
            raise ConfigError(
                f"--objectives is {','.join(self.objectives)!r}; name mae and any of "
                f"{', '.join(OBJECTIVES[1:])}, each once. For example --objectives mae,latency"
            )
        _check_at_least("--trials", self.trials, 1)
        _check_at_least("--finalists", self.finalists, 1)
        _check_at_least("--seed", self.seed, 0)
        if self.seed > LARGEST_SEED:
            raise ConfigError(f"--seed is {self.seed}; allowed: 0 to {LARGEST_SEED}")
        if not self.budgets.limits:
            raise BudgetError(
                "no budget is given; allowed: --budget (flash), --latency, --sram, --power. "
                "Write for example --budget 80KB"
            )
        if self.split and (self.report_data or self.report_from):
            raise ConfigError(
                f"--split {self.split} already names the report people; leave out "
                "--report-data and --report-from, or --split"
            )
        if self.report_data and self.report_from:
            raise ConfigError(
                f"--report-data {self.report_data} and --report-from {self.report_from} both "
                "choose the report people; give one of them"
            )

    def to_tables(self) -> dict[str, dict[str, Any]]:
        """The tables of `run.toml` that say what was asked; absent keys are None."""
        budgets = {key: value for key, value in asdict(self.budgets).items() if value is not None}
        data = {
            "source": self.data,
            "report_data": self.report_data,
            "report_from": self.report_from,
            "split_file": self.split,
        }
        return {
            "run": {"seed": self.seed},
            "search": {
                "space": self.space,
                "trials": self.trials,
                "sampler": self.sampler,
                "objectives": list(self.objectives),
                "finalists": self.finalists,
                "effort": self.effort,
                "teacher": self.teacher,
            },
            "budgets": budgets,
            "target": {"board": self.board, "engine": self.engine, "period_s": self.period_s},
            "data": {key: value for key, value in data.items() if value is not None},
        }

    @staticmethod
    def from_tables(document: Mapping[str, Any]) -> SearchConfig:
        """Read `to_tables` back; tables and keys that it does not write are ignored.

        Raises:
            KeyError: a table or key is missing.
        """
        search, target, data = document["search"], document["target"], document["data"]
        budgets = {key: document["budgets"].get(key) for key in _BUDGET_KEYS}
        return SearchConfig(
            budgets=Budgets(**budgets, scope=document["budgets"]["scope"]),
            data=data["source"],
            report_data=data.get("report_data"),
            report_from=data.get("report_from"),
            split=data.get("split_file"),
            space=search["space"],
            board=target["board"],
            engine=target["engine"],
            period_s=target["period_s"],
            objectives=tuple(search["objectives"]),
            sampler=search["sampler"],
            trials=search["trials"],
            seed=document["run"]["seed"],
            finalists=search["finalists"],
            effort=search["effort"],
            teacher=search["teacher"],
        )


_BUDGET_KEYS = ("flash_bytes", "latency_ms", "sram_bytes", "power_mw")


def resolve(given: Mapping[str, Any], base: SearchConfig | None = None) -> SearchConfig:
    """Fill in what was not given.

    Args:
        given: option name (as a field of `SearchConfig` or `Budgets`) -> value; quantities and
            lists as text, None where the option was not given.
        base: the configuration of the run to resume, or None for a new one.

    Returns:
        The resolved configuration.

    Raises:
        BudgetError, ConfigError: an option has a value that is not allowed, or no budget is given.
    """
    values = {key: value for key, value in given.items() if value is not None}
    budgets = asdict(base.budgets) if base else asdict(Budgets())
    readers = {
        "flash_bytes": ("--budget", units.parse_bytes),
        "latency_ms": ("--latency", units.parse_ms),
        "sram_bytes": ("--sram", units.parse_bytes),
        "power_mw": ("--power", units.parse_mw),
    }
    for key, (option, read) in readers.items():
        if key in values:
            budgets[key] = read(values.pop(key), option=option)
    budgets["scope"] = values.pop("scope", budgets["scope"])
    if "objectives" in values:
        values["objectives"] = tuple(part.strip() for part in values["objectives"].split(","))
    if "period_s" in values:
        values["period_s"] = units.parse_ms(values["period_s"], option="--rate") / 1000
    if base is not None:
        kept = {f.name: getattr(base, f.name) for f in fields(SearchConfig)}
    else:
        synthetic = values.get("data", SYNTHETIC) == SYNTHETIC
        effort = values.get("effort", "quick" if synthetic else "standard")
        trials = EFFORT_TRIALS.get(effort, 1)  # an unknown effort is refused below
        kept = {"effort": effort, "trials": trials}
        if values.get("sampler") == "gp":
            kept["trials"] = GP_TRIALS
    return SearchConfig(**{**kept, **values, "budgets": Budgets(**budgets)})


def differences(asked: SearchConfig, found: SearchConfig) -> dict[str, tuple[Any, Any]]:
    """Keys in which two configurations differ, as `table.key` -> (asked, found)."""
    left, right = _flat(asked.to_tables()), _flat(found.to_tables())
    return {
        key: (left.get(key), right.get(key))
        for key in sorted(left.keys() | right.keys())
        if left.get(key) != right.get(key)
    }


def _flat(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        f"{name}.{key}": value for name, table in tables.items() for key, value in table.items()
    }


def _check_choice(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{option} is {value!r}; allowed: {', '.join(allowed)}")


def _check_at_least(option: str, value: int, lowest: int) -> None:
    if value < lowest:
        raise ConfigError(f"{option} is {value}; it must be at least {lowest}")
