"""The answer in one paragraph, three cards, and what to be careful about."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.report.loading import Finalist, RunData, look, number, table
from nas.report.page import COSTS, Section, cost, fixed, section, word
from ppg.people.metrics import person_weights

FEW_PEOPLE = 5
CLEARLY_WORSE = 1.1  # times the inherited error
EQUAL_BPM = 0.005  # errors that two decimals do not tell apart


def cost_of(finalist: Finalist, key: str, bound: str = "value") -> float | None:
    """A cost of a finalist from its card; `weight_bytes` stands outside the score document."""
    if key == "weight_bytes":  # counted, not estimated: no low and high
        return number(finalist.card, "weight_bytes") if bound == "value" else None
    return number(finalist.card, "costs", key, bound)


def broken_budgets(run: RunData, finalist: Finalist, *, bound: str = "value") -> list[str]:
    """Budgets that the finalist's cost (or, with `bound="high"`, its high end) exceeds."""
    return [
        key
        for key, limit in run.budgets.items()
        if (seen := cost_of(finalist, key, bound)) is not None and seen > limit
    ]


def _least(finalists: list[Finalist], *keys: str) -> Finalist | None:
    known = [f for f in finalists if number(f.card, *keys) is not None]
    return min(known, key=lambda f: number(f.card, *keys) or 0.0) if known else None


def _facts(finalist: Finalist) -> dict[str, Any]:
    report = table(finalist.card, "report")
    return {
        "finalist": finalist.number,
        "mae_bpm": number(report, "mae_bpm"),
        "mae_bpm_low": number(report, "mae_bpm_low"),
        "mae_bpm_high": number(report, "mae_bpm_high"),
        "mae_bpm_smoothed": number(report, "mae_bpm_smoothed"),
        "people": len(table(report, "people")),
        **{key: cost_of(finalist, key) for key in COSTS},
    }


def _training_cautions(run: RunData, best: Finalist | None) -> list[str]:
    """Sentences on how well the networks were trained; `best` is the most accurate."""
    found = []
    if look(run.config, "search", "effort") == "smoke":
        found.append(
            "Effort smoke: these networks are hardly trained, their errors say nothing; search "
            "again with --effort quick or more."
        )
    if best is None:
        return found
    inherited = number(best.card, "search_mae_bpm", "inherited")
    retrained = number(best.card, "search_mae_bpm", "retrained_int8")
    if inherited is not None and retrained is not None and retrained > CLEARLY_WORSE * inherited:
        found.append(
            f"Retraining made finalist {best.number} worse: {fixed(retrained)} BPM on search "
            f"people, {fixed(inherited)} with the weights that it inherited."
        )
    error, constant = number(best.card, "report", "mae_bpm"), _constant(best)
    if error is not None and constant is not None and error >= constant[1]:
        found.append(
            f"Finalist {best.number} is no better than a constant: it errs by {fixed(error)} BPM "
            f"on report people, always saying {fixed(constant[0], 0)} BPM (the median of their "
            f"references) by {fixed(constant[1])}."
        )
    return found


def _constant(finalist: Finalist) -> tuple[float, float] | None:
    """The median of the report references, and the MAE of always saying it, as people weigh."""
    seen = finalist.predictions
    if seen is None or not len(seen.reference_bpm):
        return None
    middle = float(np.median(seen.reference_bpm))
    return middle, float(person_weights(seen.person) @ np.abs(seen.reference_bpm - middle))


def _cautions(run: RunData, best: Finalist | None) -> list[str]:
    """Sentences, one for all finalists that share it; `best` is the most accurate."""
    shared: dict[str, list[int]] = {}

    def add(caution: str, finalist: Finalist) -> None:
        shared.setdefault(caution, []).append(finalist.number)

    for finalist in run.finalists:
        over = broken_budgets(run, finalist)
        unsure = [k for k in broken_budgets(run, finalist, bound="high") if k not in over]
        if over:
            add(f"Budget of {_names(over)} exceeded", finalist)
        if unsure:
            add(f"Budget of {_names(unsure)} kept by the estimate, not by its high end", finalist)
        lsb = number(finalist.card, "parity", "tflite_rule_max_lsb")
        if lsb:
            add(f"TFLite file up to {lsb:.0f} LSB off the reference in its rounding", finalist)
        if table(finalist.card, "costs").get("in_calibrated_range") is False:
            add("Costs outside the range in which they were calibrated", finalist)
    found = [*run.notes, *_training_cautions(run, best)]
    for caution, numbers in shared.items():
        word = "finalist" if len(numbers) == 1 else "finalists"
        found.append(f"{caution}: {word} {', '.join(map(str, numbers))}.")
    people = {p for f in run.finalists for p in table(f.card, "report", "people")}
    if 0 < len(people) < FEW_PEOPLE:
        found.append(f"Few report people ({len(people)}): the interval of the MAE says little.")
    return found


def _names(keys: list[str]) -> str:
    return " and ".join(word(key) for key in keys)


def _verdict_info(run: RunData) -> dict[str, Any]:
    """Plain data of the verdict: counts, the three finalists worth a card, cautions."""
    fitting = [f for f in run.finalists if not broken_budgets(run, f)]
    chosen = {
        # chosen on search people, so that its error on report people is not flattered
        "best": _least(fitting, "search_mae_bpm", "retrained_int8"),
        "smallest": _least(fitting, "costs", "flash_bytes", "value"),
        "fastest": _least(fitting, "costs", "latency_ms", "value"),
    }
    inherited = [number(c, "mae_bpm") for c in run.candidates if c.get("feasible")]
    return {
        "synthetic": run.synthetic,
        "board": run.board,
        "engine": run.engine,
        "budgets": run.budgets,
        "considered": number(run.search, "considered"),
        "evaluated": number(run.search, "evaluated"),
        "finalists": len(run.finalists),
        "fitting": len(fitting),
        "inherited_best_bpm": min((m for m in inherited if m is not None), default=None),
        "cards": {key: _facts(f) for key, f in chosen.items() if f is not None},
        "cautions": _cautions(run, chosen["best"]),
    }


def _smallest_words(best: dict[str, Any] | None, small: dict[str, Any] | None) -> str:
    """What the smallest finalist saves against the best one, and what that costs."""
    known = ("flash_bytes", "mae_bpm")
    if best is None or small is None:
        return ""
    if any(facts[key] is None for facts in (best, small) for key in known):
        return ""
    saved, more = best["flash_bytes"] - small["flash_bytes"], small["mae_bpm"] - best["mae_bpm"]
    if saved <= 0:
        return ""
    words = f"Finalist {small['finalist']} saves {cost('flash_bytes', saved)} of flash"
    if abs(more) < EQUAL_BPM:
        return f"{words} and errs as much on report people."
    if more < 0:
        return f"{words} and errs by {fixed(-more)} BPM less on report people."
    return f"{words} for {fixed(more)} BPM more on report people."


def verdict_section(run: RunData) -> Section:
    """The first thing to read."""
    info = _verdict_info(run)
    smallest_words = _smallest_words(info["cards"].get("best"), info["cards"].get("smallest"))
    return section("report/verdict.html", "Verdict", **info, smallest_words=smallest_words)
