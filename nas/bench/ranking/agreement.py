"""How well a score orders networks by their true errors: figures with intervals.

Of scores and of errors lower is better. Intervals are 90 % percentile intervals over networks that
are drawn anew, the same draws for every score. A network that is drawn twice ties with itself in
both orders, which tau-b leaves out. An order that ties everything says nothing: 0.

Kendall's tau-b: Biometrika 33, 239-251 (1945). Errors rounded before they are ordered ("sparse"):
NAS-Bench-301, https://arxiv.org/abs/2008.09777.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from nas.bench.interval import Interval, drawn_anew

DRAWS = 1000
TIE_BPM = 0.1
BEST = 8  # networks of `precision`: as many as a search retrains at most
CHOSEN = 4  # networks of `regret_bpm`

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """A score against true errors.

    Attributes:
        sparse_tau: the same with the errors rounded to `TIE_BPM`.
        precision: share of the `BEST` by score that are among the true best quarter.
        regret_bpm: least true error among the `CHOSEN` best by score, above the least of all.
    """

    tau: Interval
    sparse_tau: Interval
    spearman: Interval
    precision: Interval
    regret_bpm: Interval


def agreement(score: Values, truth: Values) -> Agreement:
    """All figures of one score.

    Args:
        score: `(networks,)`, ties are in the order of the list where one must be chosen.
        truth: `(networks,)` errors in BPM.
    """
    drawn, _ = _draws(len(truth))
    scores, errors = score[drawn], truth[drawn]
    first = np.argsort(scores, axis=1, kind="stable")
    by_score = np.take_along_axis(errors, first, axis=1)
    quarter = np.sort(errors, axis=1)[:, max(1, len(truth) // 4) - 1]
    regret = by_score[:, :CHOSEN].min(axis=1) - errors.min(axis=1)
    return Agreement(
        tau=tau(score, truth),
        sparse_tau=tau(score, np.rint(truth / TIE_BPM)),
        spearman=Interval.of(_correlation(rankdata(scores, axis=1), rankdata(errors, axis=1))),
        precision=Interval.of((by_score[:, :BEST] <= quarter[:, None]).mean(axis=1)),
        regret_bpm=Interval.of(regret),
    )


def tau(score: Values, truth: Values, among: NDArray[np.int64] | None = None) -> Interval:
    """Kendall's tau-b.

    Args:
        score, truth: `(networks,)`.
        among: `(networks,)` classes; only two networks of one class are compared, and the figure
            is over all such pairs.
    """
    here, there = (np.sign(row[:, None] - row[None, :]) for row in (score, truth))
    if among is not None:
        here, there = (signs * (among[:, None] == among[None, :]) for signs in (here, there))
    _, times = _draws(len(truth))

    def pairs(signs: Values) -> Values:
        """Sum over all pairs in each draw: w' S w, where w says how often each was drawn."""
        found: Values = ((times @ signs) * times).sum(axis=1)
        return found

    return Interval.of(_share(pairs(here * there), pairs(abs(here)) * pairs(abs(there))))


def alike(values: Values) -> NDArray[np.int64]:
    """Classes of networks alike in one figure of their architecture.

    One for each value where there are at most three, else terciles; equal values stay together.
    """
    known = np.unique(values)
    edges = known[1:] if len(known) <= 3 else np.quantile(values, [1 / 3, 2 / 3])
    return np.searchsorted(edges, values, side="right").astype(np.int64)


@lru_cache(maxsize=4)
def _draws(networks: int) -> tuple[NDArray[np.int64], Values]:
    """Places that are drawn, and how often each is; both `(1 + DRAWS, networks)`.

    The first row is the networks as they are.
    """
    places = drawn_anew(networks, DRAWS)
    times = (places[:, :, None] == np.arange(networks)).sum(axis=1)
    return places, times.astype(np.float64)


def _correlation(here: Values, there: Values) -> Values:
    here, there = (rows - rows.mean(axis=1, keepdims=True) for rows in (here, there))
    return _share((here * there).sum(axis=1), (here**2).sum(axis=1) * (there**2).sum(axis=1))


def _share(above: Values, below_squared: Values) -> Values:
    below = np.sqrt(below_squared)
    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)
