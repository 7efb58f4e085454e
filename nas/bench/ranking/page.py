"""The bench as a Markdown page; every figure is read from its records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

import numpy as np

from nas.bench.ranking.agreement import BEST, CHOSEN, TIE_BPM, Agreement
from nas.bench.ranking.figures import DIMENSIONS, WHO, Against, RankingFigures, Who, trained_bpm
from nas.bench.ranking.networks import SEEDS
from nas.bench.ranking.run import Ranking
from nas.run.units import format_bytes, format_duration
from ppgnas.tables import markdown_cell, markdown_table

COLUMNS = ("tau-b", "sparse tau", "Spearman", f"precision@{BEST}", "regret, BPM")
MEANING = (
    "The truth is the int8 error of a network trained alone with the whole effort, mean over "
    f"people and then over the seeds {' and '.join(map(str, SEEDS))}. Kendall's tau-b and "
    "Spearman's correlation are 1 where a score orders all networks as the truth does, 0 where it "
    f"says nothing. Sparse tau rounds the truth to {TIE_BPM:g} BPM, so that smaller differences "
    f"are ties. precision@{BEST}: share of the {BEST} best by score that are in the true best "
    f"quarter. Regret: the least true error among the {CHOSEN} best by score, above the least of "
    "all. In brackets 90 % intervals over networks drawn anew. Of parameters, MACs and latency "
    "more counts as better."
)


def ranking_page(ranking: Ranking, found: RankingFigures) -> str:
    """The page."""
    document = ranking.document
    config, split = document.config, document.split
    counts = ", ".join(f"{len(people)} {role}" for role, people in split.to_json().items())
    macs = [record.macs for record in ranking.records]
    weights = [record.weights for record in ranking.records]
    took = ", ".join(f"{label} {format_duration(s)}" for label, s in document.time_s.items())
    times = f" Wall time: {took}." if took else ""
    versions = ", ".join(f"{name} {value}" for name, value in document.versions.items())
    parts = [
        "# How well cheap figures order networks",
        f"    {document.command}",
        f"{'**Synthetic recordings.** ' if document.synthetic else ''}"
        f"{len(ranking.records)} networks of the space {config.space}, {min(macs)} to {max(macs)} "
        f"MAC, {format_bytes(min(weights))} to {format_bytes(max(weights))} of weights; effort "
        f"{config.effort}, seed {config.seed}. {counts} people; report people: "
        f"{', '.join(map(markdown_cell, split.report))}.{times}",
        MEANING,
        *(part for who in WHO for part in _scores(found, who)),
        "## The ceiling",
        "What the truth says of itself: errors of the second seed against those of the first, and "
        "errors on the other people (report for search people and the reverse). The truth above "
        "is the mean of both seeds, and a little surer than either. They differ by "
        f"{_seeds_apart(ranking)} in the mean over networks.",
        _table("order", _ceiling(found)),
        "## Halves of the sizes",
        "tau-b within the half with fewer and the half with more MACs.",
        _halves(found),
        "## Within one dimension",
        "tau-b on search people over all pairs of networks that are alike in the dimension: of "
        "equal value where it has up to three, else of the same third.",
        _within(found),
        "## Pairs",
        "Networks that differ in one dimension alone: its lowest choice everywhere in the network "
        "against its highest.",
        _pairs(ranking),
        "Pairs that a score orders as the truth does:",
        _ordered(found),
        "## Networks",
        _networks(ranking),
        f"Versions: {versions}. Page: the same command with `--page FILE`.",
    ]
    return "\n\n".join(parts) + "\n"


def _table(first: str, rows: Iterable[tuple[str, Agreement]]) -> str:
    return markdown_table(
        (first, *COLUMNS),
        [(name, *(getattr(one, f.name) for f in fields(Agreement))) for name, one in rows],
    )


def _scores(found: RankingFigures, who: Who) -> tuple[str, str]:
    rows = [(name, by[who].overall) for name, by in found.scores.items()]
    return f"## Scores, {who} people", _table("score", rows)


def _ceiling(found: RankingFigures) -> list[tuple[str, Agreement]]:
    return [
        (f"{name}, against {who} people", by[who])
        for name, by in found.ceiling.items()
        for who in WHO
    ]


def _halves(found: RankingFigures) -> str:
    head = ("score", *(f"{half}, {who} people" for who in WHO for half in ("fewer", "more")))
    rows = [
        (name, *(half.tau for who in WHO for half in (by[who].small, by[who].large)))
        for name, by in found.scores.items()
    ]
    return markdown_table(head, rows)


def _within(found: RankingFigures) -> str:
    rows = [
        (dimension, *(by["search"].within[dimension] for by in found.scores.values()))
        for dimension in DIMENSIONS
    ]
    return markdown_table(("dimension", *found.scores), rows)


def _pairs(ranking: Ranking) -> str:
    truth = {who: trained_bpm(ranking.records, who) for who in WHO}
    rows = [
        (
            pair.dimension,
            ranking.records[pair.low].arch.id,
            ranking.records[pair.high].arch.id,
            *(f"{truth[who][place]:.2f}" for who in WHO for place in (pair.low, pair.high)),
        )
        for pair in ranking.pairs
    ]
    errors = (f"{end}, {who} BPM" for who in WHO for end in ("lowest", "highest"))
    return markdown_table(("dimension", "lowest", "highest", *errors), rows)


def _ordered(found: RankingFigures) -> str:
    def count(by: Mapping[Who, Against], who: Who) -> str:
        return f"{sum(by[who].pairs)} of {len(by[who].pairs)}"

    rows = [(name, *(count(by, who) for who in WHO)) for name, by in found.scores.items()]
    return markdown_table(("score", *(f"{who} people" for who in WHO)), rows)


def _networks(ranking: Ranking) -> str:
    head = ("network", "MAC", "weights B", "ms", "inherited", "expected", "decoded")
    errors = tuple(f"seed {seed}, {who}" for who in WHO for seed in SEEDS)
    truth = [trained_bpm(ranking.records, who, [seed]) for who in WHO for seed in SEEDS]
    rows = [
        (
            record.arch.id,
            record.macs,
            record.weights,
            f"{record.latency_ms:.2f}",
            *(f"{bpm:.2f}" for bpm in (record.inherited_bpm, record.first_expected_bpm)),
            *(f"{bpm:.2f}" for bpm in (record.first_mae_bpm, *(row[place] for row in truth))),
        )
        for place, record in sorted(enumerate(ranking.records), key=lambda each: each[1].macs)
    ]
    return markdown_table((*head, *errors), rows)


def _seeds_apart(ranking: Ranking) -> str:
    apart = [
        np.abs(np.diff([trained_bpm(ranking.records, who, [s]) for s in SEEDS], axis=0)).mean()
        for who in WHO
    ]
    said = (f"{bpm:.2f} BPM on {who} people" for bpm, who in zip(apart, WHO, strict=True))
    return " and ".join(said)
