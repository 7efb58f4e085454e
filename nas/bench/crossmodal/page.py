"""The bench as a Markdown page, and both embeddings of held-out people as a plot.

The page tells means over people, and what the distilled encoders gain; the plot has two
dimensions and is coloured by person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nas.bench.crossmodal.cells import (
    ALONE,
    DISTILLED,
    DRAWS,
    HAND,
    OWN_MEAN,
    SHARES,
    SUPERVISED,
    EncoderRecord,
)
from nas.bench.crossmodal.measure import PROFILE_S
from nas.bench.crossmodal.run import EVERYWHERE, Crossmodal
from nas.bench.interval import Interval, drawn_anew
from nas.report.figures import SERIES, figure, label
from nas.run.job.machine import versions
from nas.run.units import format_duration
from ppg.people.metrics import DRAWS as RESAMPLED
from ppg.people.metrics import bootstrap_mean
from ppgnas.tables import counted, markdown_cell, markdown_table

if TYPE_CHECKING:
    import plotly.graph_objects as go


MEANING = (
    "A probe is a linear model on frozen embeddings: ridge regression, or logistic regression for "
    "the activity. It is fitted on training people with a share of their labels "
    f"({DRAWS} draws of each share below all, the same for every row), its penalty is chosen by "
    "cross-validation over training people, and it reads held-out people, whom no training has "
    "seen. Errors are means over people. SDNN and RMSSD are those of intervals between pulses, "
    "where the PPG shows them without doubt: mostly at rest. "
    f"`{OWN_MEAN}` always says the mean (of the activity: the most frequent one) of the very "
    "person who is read, which no model knows."
)

TARGETS: Mapping[str, str] = {
    "hr": "heart rate, BPM",
    "sdnn": "SDNN, ms",
    "rmssd": "RMSSD, ms",
    "activity": "activity, % wrong",
}
GOAL_PERCENT, GOAL_TIMES = 20.0, 20.0


def errors_of(record: EncoderRecord, target: str, share: float) -> dict[str, float]:
    """Error of each held-out person, mean of the draws; empty where nothing was read."""
    found: dict[str, list[float]] = {}
    for probe in record.probes:
        if (probe.target, probe.share) == (target, share):
            for person, error in probe.by_person.items():
                found.setdefault(person, []).append(error)
    return {person: float(np.mean(errors)) for person, errors in found.items()}


def mean_of(record: EncoderRecord, target: str, share: float) -> float | None:
    """Mean over people; None where nothing was read."""
    errors = errors_of(record, target, share)
    return float(np.mean(list(errors.values()))) if errors else None


def best_alone(records: Mapping[str, EncoderRecord], target: str) -> EncoderRecord:
    """The encoder of acceleration alone that errs least; held-out people choose it, against us."""
    alone = [records[name] for name in ALONE]
    return min(alone, key=lambda record: mean_of(record, target, 1.0) or np.inf)


def gains(records: Mapping[str, EncoderRecord], target: str) -> dict[str, Interval]:
    """By how many percent each distilled encoder errs less than the best of acceleration alone.

    By row, with all labels, on the same held-out people, drawn anew together.
    """
    other = errors_of(best_alone(records, target), target, 1.0)
    found = {}
    for name, record in records.items():
        own = errors_of(record, target, 1.0)
        if name.startswith(DISTILLED) and own:
            pairs = np.array([[own[person], other[person]] for person in sorted(own)])
            means = pairs[drawn_anew(len(pairs), RESAMPLED)].mean(axis=1)
            found[name] = Interval.of(100 * (1 - means[:, 0] / means[:, 1]))
    return found


def crossmodal_page(found: Crossmodal, command: str) -> str:
    """The page."""
    records, corpus = found.records, found.corpus
    shards = corpus.shards
    counts = "; ".join(
        f"{TARGETS[name].split(',')[0]}: {train} segments to train, {test} to read"
        for name, (train, test) in found.labels.items()
    )
    known = ", ".join(f"{name} {value}" for name, value in versions().items())
    parts = [
        "# From PPG to acceleration",
        f"    {command}",
        f"{'**Synthetic recordings.** ' if shards.synthetic else ''}{len(shards)} segments of "
        f"30 s; {counted(len(corpus.train), 'person trains', 'people train')} "
        f"({shards.hours_of(corpus.train):.1f} h), "
        f"{counted(len(corpus.held_out), 'whole person is', 'whole people are')} held out "
        f"({shards.hours_of(corpus.held_out):.1f} h): "
        f"{', '.join(map(markdown_cell, corpus.held_out))}. Labelled: {counts}. Preset "
        f"{found.config.preset}, PPG encoder {found.config.method}, seed {found.config.seed}.",
        *_verdicts(records),
        "## Retrieval",
        "Each 30 s of acceleration looks for its own PPG among those of held-out people, and the "
        "reverse; segments do not overlap. Chance is one over the candidates. "
        f"`{HAND}` are here how strong each {PROFILE_S} s of either signal is, without any "
        "training.",
        _retrieval(records),
        "## Probes",
        MEANING,
    ]
    for target in found.labels:
        parts += [f"### {TARGETS[target]}", _shares(records, target)]
        parts += [_gains(records, target)]
    if "hr" in found.labels:
        parts += ["### Heart rate by activity, BPM, all labels", _activities(records)]
    parts += ["## Encoders", _encoders(records)]
    parts += [f"Versions: {known}. Page: the same command with `--page FILE`."]
    return "\n\n".join(parts) + "\n"


def _verdicts(records: Mapping[str, EncoderRecord]) -> list[str]:
    """What was hoped for, and whether it holds."""
    lines = []
    distilled = records[DISTILLED]
    if EVERYWHERE in distilled.retrieval:
        times = distilled.retrieval[EVERYWHERE].times_chance
        said = "reached" if times >= GOAL_TIMES else "missed"
        lines.append(
            f"- Retrieval over all pairs at {GOAL_TIMES:g} times chance: {said} ({times:.1f} "
            "times, the worse direction)."
        )
        others = [
            f"{name} {record.times_chance:.1f} times"
            for name, record in distilled.retrieval.items()
            if name != EVERYWHERE
        ]
        lines += [f"- The same {', '.join(others)} chance."] if others else []
    if mean_of(distilled, "hr", 1.0) is not None:
        against = best_alone(records, "hr").name
        for name, share in gains(records, "hr").items():
            if name == DISTILLED:
                said = "reached" if share.value >= GOAL_PERCENT else "missed"
                lines.append(
                    f"- Heart rate probed {GOAL_PERCENT:g} % better than of the best encoder of "
                    f"acceleration alone ({against}): {said} ({share.value:.1f} %, "
                    f"{share.low:.1f} to {share.high:.1f} over people)."
                )
            else:
                said = "within noise of"
                if share.low > 0 or share.high < 0:
                    said = "ahead of" if share.low > 0 else "behind"
                lines.append(
                    f"- {name}: {said} it ({share.value:.1f} %, {share.low:.1f} to "
                    f"{share.high:.1f})."
                )
    return ["\n".join(lines)] if lines else []


def _retrieval(records: Mapping[str, EncoderRecord]) -> str:
    head = (
        "encoder, candidates",
        "queries",
        "candidates",
        "acc to PPG, top-1 %",
        "top-5 %",
        "PPG to acc, top-1 %",
        "top-5 %",
        "chance, top-1 %",
        "top-5 %",
        "times chance",
    )
    rows = [
        (
            f"{record.name}, {name}",
            each.queries,
            f"{each.candidates:.0f}",
            *(f"{value:.2f}" for value in (*each.acc_to_ppg, *each.ppg_to_acc, *each.chance)),
            f"{each.times_chance:.1f}",
        )
        for record in records.values()
        for name, each in record.retrieval.items()
    ]
    return markdown_table(head, rows)


def _shares(records: Mapping[str, EncoderRecord], target: str) -> str:
    rows = []
    supervised = [record for name, record in records.items() if name.startswith(SUPERVISED)]
    for record in records.values():
        if record in supervised:
            continue
        found = [mean_of(record, target, share) for share in SHARES]
        rows.append((record.name, _interval(record, target), *map(_two, found)))
    if target == "hr" and supervised:
        by_share = {probe.share: record for record in supervised for probe in record.probes}
        found = [
            mean_of(by_share[share], target, share) if share in by_share else None
            for share in SHARES
        ]
        name = f"{SUPERVISED}, trained from these labels alone"
        rows.append((name, _interval(by_share[1.0], target), *map(_two, found)))
    head = ("encoder", "90 % over people", *(f"{100 * share:g} %" for share in SHARES))
    return markdown_table(head, rows)


def _interval(record: EncoderRecord, target: str) -> str:
    errors = list(errors_of(record, target, 1.0).values())
    if not errors:
        return ""
    low, high = bootstrap_mean(errors)
    return f"{low:.2f} to {high:.2f}"


def _gains(records: Mapping[str, EncoderRecord], target: str) -> str:
    best = best_alone(records, target)
    said = [f"{name} {percent} %" for name, percent in gains(records, target).items()]
    return (
        f"Less error than {best.name}, the best encoder of acceleration alone, with all labels "
        f"(90 % over people): {'; '.join(said)}."
    )


def _activities(records: Mapping[str, EncoderRecord]) -> str:
    found = {
        record.name: next(
            (p.by_activity for p in record.probes if p.target == "hr" and p.by_activity), {}
        )
        for record in records.values()
    }
    names = sorted({name for by_activity in found.values() for name in by_activity})
    rows = [
        (name, *(_two(by_activity.get(activity)) for activity in names))
        for name, by_activity in found.items()
        if by_activity
    ]
    return markdown_table(("encoder", *names), rows)


def _encoders(records: Mapping[str, EncoderRecord]) -> str:
    rows = [
        (
            record.name,
            record.parameters or "",
            record.weight_bytes or "",
            f"{record.latency_ms:.2f}" if record.latency_ms else "",
            "" if record.differences is None else record.differences,
            format_duration(record.train_s) if record.train_s else "",
        )
        for record in records.values()
        if record.parameters or record.weight_bytes
    ]
    head = (
        "encoder",
        "parameters",
        "int8 weights, B",
        "ms a segment, default board",
        "outputs that differ in emulation",
        "trained",
    )
    return markdown_table(head, rows)


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def summary_rows(found: Crossmodal) -> list[tuple[str, ...]]:
    """Rows for a terminal: heart rate with all labels and with the fewest, retrieval."""
    rows: list[tuple[str, ...]] = []
    for record in found.records.values():
        over = record.retrieval.get(EVERYWHERE)
        rows.append(
            (
                record.name,
                _two(mean_of(record, "hr", 1.0)),
                _two(mean_of(record, "hr", SHARES[-1])),
                "" if over is None else f"{over.times_chance:.1f}",
            )
        )
    return rows


HEIGHT_PX = 640
SYMBOLS = ("circle", "diamond", "cross", "square", "triangle-up", "x")
"""After all colours once: more people than colours are told apart by both."""


@dataclass(frozen=True)
class Places:
    """Segments of one person in one embedding.

    Attributes:
        side: 0 for PPG, 1 for acceleration.
    """

    person: str
    side: int
    x: list[float]
    y: list[float]


def places(record: EncoderRecord) -> list[Places]:
    """By person, first of PPG."""
    found = []
    for side, points in enumerate((record.ppg_xy, record.acc_xy)):
        for person in sorted(set(record.who)):
            own = [xy for xy, who in zip(points, record.who, strict=True) if who == person]
            found.append(Places(person, side, [x for x, _ in own], [y for _, y in own]))
    return found


def draw_places(drawn: list[Places], *, how: str, synthetic: bool) -> go.Figure:
    """Two panels, one colour and symbol a person."""
    from plotly.subplots import make_subplots

    out = make_subplots(
        cols=2,
        subplot_titles=tuple(
            f"{sensor} encoder, {label(how)}" for sensor in ("PPG", "acceleration")
        ),
    )
    people = sorted({each.person for each in drawn})
    for each in drawn:
        number = people.index(each.person)
        out.add_scatter(
            x=each.x,
            y=each.y,
            mode="markers",
            name=label(each.person),
            legendgroup=each.person,
            showlegend=each.side == 0,
            marker={
                "size": 6,
                "color": SERIES[number % len(SERIES)],
                "symbol": SYMBOLS[number // len(SERIES) % len(SYMBOLS)],
            },
            row=1,
            col=each.side + 1,
        )
    look = figure(HEIGHT_PX, synthetic=synthetic).layout
    out.update_layout(look, height=HEIGHT_PX)
    for axes in (out.update_xaxes, out.update_yaxes):  # places have no unit
        axes(showticklabels=False, zeroline=False, showgrid=False, showline=False)
    return out
