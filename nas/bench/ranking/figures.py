"""What the bench says: every score against networks trained alone, and what can be said at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nas.bench.interval import Interval
from nas.bench.ranking.agreement import Agreement, Values, agreement, alike, tau
from nas.bench.ranking.networks import SEEDS, NetworkRecord, Pair
from nas.explore.forecast import Forecaster
from search_spaces.figures import figures

Who = Literal["search", "report"]
WHO: tuple[Who, ...] = ("search", "report")
DIMENSIONS = (
    *("rate_hz", "dilation", "depth", "kernel", "width", "stride"),
    *("expansion", "residual", "stem", "neck", "spacing", "max_pooling", "pool_s"),
)
"""Fields of `ArchFigures` within which networks are compared."""


@dataclass(frozen=True)
class Against:
    """One score against the truth on one group of people.

    Attributes:
        small, large: on the halves by multiply-accumulates.
        within: tau among networks alike in a dimension (`agreement.alike`), by dimension.
        pairs: whether each pair that differs in one dimension alone is ordered as the truth does.
    """

    overall: Agreement
    small: Agreement
    large: Agreement
    within: Mapping[str, Interval]
    pairs: tuple[bool, ...]


@dataclass(frozen=True)
class RankingFigures:
    """All scores by name, each by people; the ceiling as well."""

    scores: Mapping[str, Mapping[Who, Against]]
    ceiling: Mapping[str, Mapping[Who, Agreement]]


def trained_bpm(
    records: Sequence[NetworkRecord], who: Who, seeds: Sequence[int] = SEEDS
) -> Values:
    """`(networks,)` int8 MAE after training alone: mean over people, then over seeds."""
    return np.array(
        [
            np.mean(
                [
                    np.mean(list((found.search if who == "search" else found.report).values()))
                    for found in (record.full[seed] for seed in seeds)
                ]
            )
            for record in records
        ]
    )


def scores_of(records: Sequence[NetworkRecord]) -> dict[str, Values]:
    """What is cheap to know, by name; lower is better, so what should be large is negative."""
    named = {
        "inherited error": [record.inherited_bpm for record in records],
        "first rung, expected error": [record.first_expected_bpm for record in records],
        "first rung, decoded error": [record.first_mae_bpm for record in records],
        "first rung, all three": [record.first_score_bpm for record in records],
        "first rung, training people": [record.first_train_mae_bpm for record in records],
        "parameters": [-record.weights for record in records],
        "MACs": [-record.macs for record in records],
        "latency": [-record.latency_ms for record in records],
        "jacobian covariance": [-record.jacobian for record in records],
    }
    return {name: np.array(values, dtype=np.float64) for name, values in named.items()}


def ranking_figures(
    records: Sequence[NetworkRecord], pairs: Sequence[Pair], scores: Mapping[str, Values]
) -> RankingFigures:
    """Compare.

    Args:
        records: trained with every seed.
        pairs: see `networks.bench_networks`.
        scores: `(networks,)` by name, lower is better.
    """
    truth = {who: trained_bpm(records, who) for who in WHO}
    seeds = {who: [trained_bpm(records, who, [seed]) for seed in SEEDS] for who in WHO}
    other: dict[Who, Who] = {"search": "report", "report": "search"}
    small, large = np.array_split(np.argsort([record.macs for record in records]), 2)
    known = [asdict(figures(record.arch)) for record in records]
    classes = {name: alike(np.array([each[name] for each in known])) for name in DIMENSIONS}

    def against(score: Values, truth: Values) -> Against:
        return Against(
            overall=agreement(score, truth),
            small=agreement(score[small], truth[small]),
            large=agreement(score[large], truth[large]),
            within={name: tau(score, truth, among) for name, among in classes.items()},
            pairs=tuple(bool(_sign(score, pair) == _sign(truth, pair) != 0) for pair in pairs),
        )

    return RankingFigures(
        {name: {who: against(score, truth[who]) for who in WHO} for name, score in scores.items()},
        {
            "another seed": {who: agreement(seeds[who][1], seeds[who][0]) for who in WHO},
            "the other people": {who: agreement(truth[other[who]], truth[who]) for who in WHO},
        },
    )


def _sign(values: Values, pair: Pair) -> float:
    return float(np.sign(values[pair.high] - values[pair.low]))


NOT_TRAINED = "the search's order, not trained"
AFTER_A_FIFTH = "the search's order, after a fifth"


def search_orders(records: Sequence[NetworkRecord]) -> dict[str, NDArray[np.float64]]:
    """Foretold errors in BPM, by name.

    Each network is foretold from the first rungs of all others alone, and from its own, too; no
    whole training is known. Where there are fewer than three networks there is no order.
    """
    if len(records) < 3:
        return {}
    archs = [record.arch for record in records]
    begun = {record.arch: record.first_score_bpm for record in records}
    alone = []
    for arch in archs:
        others = {other: error for other, error in begun.items() if other != arch}
        alone.append(float(Forecaster(others, {}, archs).forecast([arch]).bpm[0]))
    return {
        NOT_TRAINED: np.array(alone),
        AFTER_A_FIFTH: Forecaster(begun, {}, archs).forecast(archs).bpm,
    }
