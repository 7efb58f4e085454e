"""The answer in one paragraph, three cards, and what to be careful about."""

from __future__ import annotations

from typing import Any

import numpy as np

from nas.report.loading import Finalist, RunData, look, number, table
from nas.report.page import COSTS, Section, cost, fixed, text, word
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


def _budget_words(info: dict[str, Any]) -> str:
    limits = [
        f"{word(key)} {cost(key, value)}" for key, value in info["budgets"].items() if key in COSTS
    ]
    return ", ".join(limits) if limits else "no budget"


def _paragraph(info: dict[str, Any]) -> str:
    considered, evaluated = info["considered"], info["evaluated"]
    start = (
        f"Of {considered:,.0f} architectures considered for {text(info['board'])} with "
        f"{text(info['engine'])} ({text(_budget_words(info))}), {evaluated or 0:,.0f} fitted and "
        "were evaluated. "
        if considered is not None
        else f"Target: {text(info['board'])} with {text(info['engine'])} "
        f"({text(_budget_words(info))}). "
    )
    best = info["cards"].get("best")
    if best is None:
        if info["finalists"] and not info["fitting"]:
            return f"{start}None of the {info['finalists']} finalists keeps the budgets."
        seen = info["inherited_best_bpm"]
        inherited = (
            f" The best candidate so far has {fixed(seen)} BPM on the search people with weights "
            "inherited from the supernet."
            if seen is not None
            else ""
        )
        return f"{start}There is no finished finalist with an accuracy yet.{inherited}"
    where = "simulated people" if info["synthetic"] else "people"
    interval = (
        f" (90 % interval {fixed(best['mae_bpm_low'])} to {fixed(best['mae_bpm_high'])})"
        if best["mae_bpm_low"] is not None and best["mae_bpm_high"] is not None
        else ""
    )
    words = (
        f"{start}<strong>Finalist {best['finalist']} is the most accurate on search people: "
        f"{fixed(best['mae_bpm'])} BPM on report people</strong>{interval}, "
        f"{fixed(best['mae_bpm_smoothed'])} with causal smoothing, as the int8 file on "
        f"{best['people']} {where} that neither training nor search had seen. "
        f"It takes {cost('flash_bytes', best['flash_bytes'])} of flash, "
        f"{cost('sram_bytes', best['sram_bytes'])} of SRAM, "
        f"{cost('latency_ms', best['latency_ms'])} a window and "
        f"{cost('power_mw', best['power_mw'])}."
    )
    return words + _smallest_words(best, info["cards"].get("smallest"))


def _smallest_words(best: dict[str, Any], small: dict[str, Any] | None) -> str:
    """What the smallest finalist saves against the best one, and what that costs."""
    known = ("flash_bytes", "mae_bpm")
    if small is None or any(facts[key] is None for facts in (best, small) for key in known):
        return ""
    saved, more = best["flash_bytes"] - small["flash_bytes"], small["mae_bpm"] - best["mae_bpm"]
    if saved <= 0:
        return ""
    words = f" Finalist {small['finalist']} saves {cost('flash_bytes', saved)} of flash"
    if abs(more) < EQUAL_BPM:
        return f"{words} and errs as much on report people."
    if more < 0:
        return f"{words} and errs by {fixed(-more)} BPM less on report people."
    return f"{words} for {fixed(more)} BPM more on report people."


def _card(title: str, big: str, facts: dict[str, Any], *, synthetic: bool) -> str:
    rows = {
        "MAE, raw": fixed(facts["mae_bpm"], unit="BPM"),
        "MAE, smoothed": fixed(facts["mae_bpm_smoothed"], unit="BPM"),
        **{COSTS[key][0]: cost(key, facts[key]) for key in COSTS},
    }
    lines = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in rows.items())
    badge = ' <span class="badge">synthetic data</span>' if synthetic else ""
    return (
        f'<div class="card"><h3>{title}: finalist {facts["finalist"]}{badge}</h3>'
        f'<div class="big">{big}</div><dl>{lines}</dl></div>'
    )


def _draw_verdict(info: dict[str, Any]) -> str:
    warning = (
        "<p class='lead'><strong>Synthetic data.</strong> Every accuracy on this page comes from "
        "generated recordings; it says that the tool works, not how a network does on people.</p>"
        if info["synthetic"]
        else ""
    )
    bigs = {
        "best": ("Most accurate on search people", "mae_bpm"),
        "smallest": ("Smallest", "flash_bytes"),
        "fastest": ("Fastest", "latency_ms"),
    }
    cards = ""
    for key, facts in info["cards"].items():
        title, field = bigs[key]
        value = facts[field]
        big = (
            f"{fixed(value)} <small>BPM MAE</small>"
            if field == "mae_bpm"
            else f"{cost(field, value)} <small>{word(field)}</small>"
        )
        cards += _card(title, big, facts, synthetic=info["synthetic"])
    cautions = "".join(f"<li>{text(line)}</li>" for line in info["cautions"])
    return (
        f"{warning}<p class='lead'>{_paragraph(info)}</p>"
        + (f'<div class="cards">{cards}</div>' if cards else "")
        + (f'<ul class="cautions">{cautions}</ul>' if cautions else "")
    )


def verdict_section(run: RunData) -> Section:
    """The first thing to read."""
    return Section("verdict", "Verdict", _draw_verdict(_verdict_info(run)))
