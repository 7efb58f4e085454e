"""The answer in one paragraph, three cards, and what to be careful about."""

from __future__ import annotations

from dataclasses import dataclass

from distill.training.effort import EFFORTS
from nas.explore.problem import room_words
from nas.models.readout import DOUBTS, FEWEST_HELD_OUT, doubt
from nas.report.choice import Choice, choose, floor_words
from nas.report.loading import Finalist, RunData
from nas.report.order import foretold_of, order_of
from nas.report.page import Section, fixed, section, word
from nas.run.card import NotInC

FEW_PEOPLE = 5
FEW_STEPS = 300


@dataclass(frozen=True)
class Verdict:
    """The three finalists worth a card, and cautions.

    Attributes:
        lowest_bpm: MAE of the best candidate; None before there is one.
        choice: the recommendation; None where no finalist fits.
        cards: of `best` (the recommended one), `smallest` and `fastest`; empty where none fits.
    """

    lowest_bpm: float | None
    choice: Choice | None
    cards: dict[str, Finalist]
    cautions: list[str]

    @property
    def by_finalist(self) -> list[tuple[list[str], Finalist]]:
        """One card a finalist, with all that it is."""
        found: dict[int, tuple[list[str], Finalist]] = {}
        for key, finalist in self.cards.items():
            found.setdefault(finalist.number, ([], finalist))[0].append(key)
        return [*found.values()]


def _training_cautions(run: RunData, best: Finalist | None) -> list[str]:
    """Sentences on how well the networks were trained; `best` is the recommended one."""
    found = []
    if run.document.config.effort == "smoke":
        found.append(
            "Effort smoke: these networks are hardly trained, their errors say nothing; search "
            "again with --effort quick or more."
        )
    if run.float_steps is not None and run.float_steps < FEW_STEPS:
        quick = EFFORTS["quick"].finetune_steps
        found.append(
            f"In its time the search could train each finalist for about {run.float_steps} "
            f"steps, where effort quick takes {quick:,}: these networks are hardly trained; "
            "search again with more --time."
        )
    if best is None:
        return found
    foretold = foretold_of({f.number: f.card for f in run.finalists})
    found += foretold.cautions if foretold else ()
    error = best.card.report.mae_bpm
    better = min(run.baselines, key=lambda row: row.mae_bpm, default=None)
    if better is not None and better.mae_bpm <= error:
        found.append(
            f"Finalist {best.number} errs by {fixed(error)} BPM on report people, and "
            f"{better.name} ({better.title}), without any network, by {fixed(better.mae_bpm)}."
        )
    return found


def _cautions(run: RunData, best: Finalist | None) -> list[str]:
    """Sentences, one for all finalists that share it; `best` is the recommended one."""
    shared: dict[str, list[int]] = {}

    def add(caution: str, finalist: Finalist) -> None:
        shared.setdefault(caution, []).append(finalist.number)

    for finalist in run.finalists:
        over = run.broken_budgets(finalist)
        unsure = [k for k in run.broken_budgets(finalist, "high") if k not in over]
        if over:
            add(f"Budget of {_names(over)} exceeded", finalist)
        if unsure:
            add(f"Budget of {_names(unsure)} kept by the estimate, not by its high end", finalist)
        lsb = finalist.card.parity.tflite_rule_max_lsb
        if lsb:
            add(f"TFLite file up to {lsb} LSB off the reference in its rounding", finalist)
        if finalist.card.file is None:
            add(
                "Errors are those of model.tflite, whatever the costs are of: an older version "
                "wrote the card",
                finalist,
            )
        if isinstance(finalist.card.c, NotInC):
            add(
                "No C could be written, so errors are those of model.tflite; costs of an engine "
                "that runs C are those of no file",
                finalist,
            )
        held_out = finalist.card.confidence_held_out or {}
        for told in finalist.card.cautions or ():
            if not told.startswith(DOUBTS):  # figures of each, which Confidence shows
                add(told.rstrip("."), finalist)
        for reading, row in held_out.items():
            if row.people >= FEWEST_HELD_OUT and not (row.holds and row.known):
                add(f"{doubt(reading)} (see Confidence)", finalist)
        if not finalist.card.costs.in_calibrated_range:
            add("Costs outside the range in which they were calibrated", finalist)
    room = room_words(run.search) if run.search else ""
    found = [*run.notes, *([room] if room else []), *_training_cautions(run, best)]
    for caution, numbers in shared.items():
        word = "finalist" if len(numbers) == 1 else "finalists"
        found.append(f"{caution}: {word} {', '.join(map(str, numbers))}.")
    people = {p for f in run.finalists for p in f.card.report.people}
    if 0 < len(people) < FEW_PEOPLE:
        found.append(f"Few report people ({len(people)}): the interval of the MAE says little.")
    return found


def _names(keys: list[str]) -> str:
    return " and ".join(word(key) for key in keys)


def _verdict_info(run: RunData) -> Verdict:
    fitting = [f for f in run.finalists if not run.broken_budgets(f)]
    choice, cards = choose(run), {}
    if choice is not None:
        cards = {
            # chosen on search people, so that its error on report people is not flattered
            "best": choice.finalist,
            "smallest": min(fitting, key=lambda f: f.card.costs.flash_bytes.value),
            "fastest": min(fitting, key=lambda f: f.card.costs.latency_ms.value),
        }
    errors = (c.mae_bpm for c in run.candidates if c.feasible and c.mae_bpm is not None)
    return Verdict(
        lowest_bpm=min(errors, default=None),
        choice=choice,
        cards=cards,
        cautions=cautions_of(run),
    )


def cautions_of(run: RunData) -> list[str]:
    """What to be careful about, in sentences."""
    choice = choose(run)
    return _cautions(run, choice.finalist if choice else None)


def verdict_section(run: RunData) -> Section:
    """The first thing to read."""
    info = _verdict_info(run)
    cards = {f.number: f.card for f in run.finalists}
    order, foretold = order_of(cards), foretold_of(cards)
    return section(
        "report/verdict.html",
        "Verdict",
        run=run,
        info=info,
        further=[
            order.sentence if order else "",
            foretold.sentence if foretold else "",
            floor_words(run),
        ],
    )
