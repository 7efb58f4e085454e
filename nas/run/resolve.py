"""A search from its arguments; those that were not given come from a run, or are the usual ones.

What was not given is None until then, so that a resumed run can tell "not given" (take what the
run has) from "given and different" (say so and stop).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from distill.teachers.names import NONE
from distill.training.effort import effort_by_name
from hwmodels.boards import boards_of
from nas.run import units
from nas.run.config import EFFORT_TRIALS, SYNTHETIC, Budgets, ConfigError, SearchConfig
from nas.run.target import take_surroundings
from nas.run.windows import ANY, take_windows
from ppgnas.parsing import listed

GP_TRIALS = 150  # a Gaussian process takes seconds a trial once it has a few hundred

# Argument -> field of `Budgets`, and what reads it.
_LIMITS: dict[str, tuple[str, Callable[..., float]]] = {
    "budget": ("flash_bytes", units.parse_bytes),
    "latency": ("latency_ms", units.parse_ms),
    "sram": ("sram_bytes", units.parse_bytes),
    "power": ("power_mw", units.parse_mw),
}


def resolve(given: Mapping[str, Any], base: SearchConfig | None = None) -> SearchConfig:
    """Fill in what was not given.

    Args:
        given: every argument of a search by its name, as fields of `SearchConfig` but for
            `budget`, `latency`, `sram`, `power`, `budget_scope`, `rate`, `time` and those of
            `take_surroundings` and `take_windows`; quantities and lists as text, None where it was
            not given.
        base: the configuration of the run to resume or repeat, or None.

    Raises:
        BudgetError, ConfigError: an argument has a value that is not allowed, or no budget is
            given.
    """
    values = {key: value for key, value in given.items() if value is not None}
    budgets = asdict(base.budgets) if base else asdict(Budgets())
    for name, (limit, read) in _LIMITS.items():
        if name in values:
            budgets[limit] = read(values.pop(name), name=name)
    budgets["scope"] = values.pop("budget_scope", budgets["scope"])
    inputs = values.get("student_inputs", base.student_inputs if base else None)
    around = take_surroundings(values, base.around if base else None, inputs=inputs)
    if "board" in values:
        values["board"], *others = boards_of(values["board"])
        values["also"] = tuple(others)
    windows = take_windows(values, base.windows if base else ANY)
    if "objectives" in values:
        text, example = values["objectives"], "mae,latency,flash"
        values["objectives"] = listed("objectives", text, ConfigError, example=example)
    if "time" in values:
        if "effort" in values:
            raise ConfigError(
                f"`effort` {values['effort']} and `time` {values['time']} both say how long to "
                "train; give one of them"
            )
        values["time_s"] = units.parse(values.pop("time"), units.SECONDS, name="time")
    if "rate" in values:
        values["period_s"] = units.parse_ms(values.pop("rate"), name="rate") / 1000
    elif windows.stride_s is not None and not (base and base.windows == windows):
        values["period_s"] = float(windows.stride_s)
    if base is not None:
        kept = {f.name: getattr(base, f.name) for f in fields(SearchConfig)}
        if "effort" in values:
            kept["time_s"] = None  # an effort says how long to train, in its stead
    else:
        synthetic = values.get("data", SYNTHETIC) == SYNTHETIC
        effort = values.get("effort", "quick" if synthetic else "standard")
        kept = {"effort": effort}
    if base is None or base.trials == _usual_trials(base.sampler, base.effort):
        chosen_by = {**kept, **values}
        kept["trials"] = _usual_trials(chosen_by.get("sampler"), chosen_by["effort"])
    if unknown := values.keys() - {field.name for field in fields(SearchConfig)}:
        names = ", ".join(map(repr, sorted(unknown)))
        raise ConfigError(f"a search has no option {names}; see `ppgnas search --help`")
    around_it = {"budgets": Budgets(**budgets), "around": around, "windows": windows}
    asked = SearchConfig(**{**kept, **values, **around_it})
    mix = effort_by_name(asked.effort).mix_of(asked.distill, taught=asked.teacher != NONE)
    return replace(asked, distill=mix)


def _usual_trials(sampler: str | None, effort: str) -> int:
    """Unless somebody says how many."""
    if sampler in ("gp", "GPSampler"):
        return GP_TRIALS
    return EFFORT_TRIALS.get(effort, 1)  # an unknown effort is refused elsewhere
