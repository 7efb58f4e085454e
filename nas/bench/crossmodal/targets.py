"""What probes read, of whom, and how wrong they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.bench.crossmodal.cells import DRAWS, SHARES, Probe
from nas.bench.crossmodal.measure import read_class, read_number
from nas.encoders.pretrain import Corpus
from ppg.people.metrics import mean_over_people

NUMBERS = ("hr", "sdnn", "rmssd")
FEWEST_ROWS = 30  # of a class, among those who train
FEWEST_LABELS = 8


@dataclass(frozen=True, eq=False)
class Target:
    """Labels of one kind.

    Attributes:
        train, test: rows of the shards.
        values: `(segments,)` of all shards; classes where `classes` says how many.
        classes: their names; empty for a number.
    """

    name: str
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    values: NDArray[np.float64]
    classes: tuple[str, ...] = ()

    def subset(self, share: float, draw: int, *, seed: int) -> NDArray[np.int64]:
        """Rows of a share of those who train."""
        if share >= 1:
            return self.train
        rng = np.random.default_rng((seed, 51, round(1e4 * share), draw))
        count = min(len(self.train), max(FEWEST_LABELS, round(share * len(self.train))))
        return np.sort(rng.permutation(self.train)[:count])


def targets_of(corpus: Corpus) -> list[Target]:
    """Every kind of label that both sides have."""
    shards = corpus.shards
    train, test = (shards.rows_of(who) for who in (corpus.train, corpus.held_out))
    found = []
    for name in NUMBERS:
        values = getattr(shards, "hr_bpm" if name == "hr" else f"{name}_ms").astype(np.float64)
        sides = [rows[np.isfinite(values[rows])] for rows in (train, test)]
        if min(map(len, sides)) >= FEWEST_LABELS:
            found.append(Target(name, sides[0], sides[1], values))
    kept = [
        number
        for number in range(len(shards.activity_names))
        if (shards.activity[train] == number).sum() >= FEWEST_ROWS
        and (shards.activity[test] == number).any()
    ]
    if len(kept) > 1:
        place = np.full(len(shards.activity_names) + 1, -1)
        place[kept] = np.arange(len(kept))
        values = place[shards.activity].astype(np.float64)  # -1 is the last
        sides = [rows[values[rows] >= 0] for rows in (train, test)]
        names = tuple(shards.activity_names[number] for number in kept)
        found.append(Target("activity", sides[0], sides[1], values, names))
    return found


def probe_all(
    features: NDArray[np.float64], targets: list[Target], corpus: Corpus, *, seed: int
) -> Iterator[Probe]:
    """Every probe of an encoder.

    Args:
        features: `(segments, dimensions)` of all shards; rows that no target has may be NaN.
    """
    person = corpus.shards.person
    for target in targets:
        for share in SHARES:
            for draw in range(1 if share >= 1 else DRAWS):
                rows = target.subset(share, draw, seed=seed)
                known = target.values[rows]
                if target.classes:
                    read = read_class(
                        features[rows],
                        known.astype(np.int64),
                        person[rows],
                        features[target.test],
                        classes=len(target.classes),
                    ).astype(np.float64)
                else:
                    read = read_number(features[rows], known, person[rows], features[target.test])
                yield judged(target, read, corpus, share=share, draw=draw, labels=len(rows))


def judged(
    target: Target,
    read: NDArray[np.float64],
    corpus: Corpus,
    *,
    share: float,
    draw: int,
    labels: int,
) -> Probe:
    """Readings of `target.test` against what is true."""
    shards, rows = corpus.shards, target.test
    wrong = np.abs(read - target.values[rows])
    if target.classes:
        wrong = 100.0 * (wrong > 0.5)
    person = shards.person[rows]
    by_activity = {}
    if target.name == "hr" and share >= 1:
        activity = shards.activity[rows]
        by_activity = {
            shards.activity_names[number]: mean_over_people(
                wrong[activity == number], person[activity == number]
            )
            for number in np.unique(activity[activity >= 0])
        }
    return Probe(
        target.name,
        share,
        draw,
        labels,
        {shards.people[who]: float(wrong[person == who].mean()) for who in np.unique(person)},
        by_activity,
    )


def own_mean(target: Target, corpus: Corpus) -> Probe:
    """What is always said is each person's own mean, or most frequent class."""
    person, rows = corpus.shards.person, target.test
    read = np.zeros(len(rows))
    for who in np.unique(person[rows]):
        own = person[rows] == who
        values = target.values[rows][own]
        if target.classes:
            read[own] = np.bincount(values.astype(np.int64)).argmax()
        else:
            read[own] = values.mean()
    return judged(target, read, corpus, share=1.0, draw=0, labels=0)
