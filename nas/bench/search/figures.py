"""What a contest says: hypervolumes, and found networks against the others.

Search people choose, report people judge: the front of a side is what no other of its networks
beats in (error on search people, latency), and only then are its errors on report people looked
at. Intervals are those of the Bayesian bootstrap (Rubin 1981, Annals of Statistics 9): report
people and seeds get random weights, a person the same in all networks and seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from nas.bench.interval import Interval
from nas.bench.search.contest import Contest, SeedResult
from nas.bench.search.sides import SIDES, NetworkRecord, Side
from nas.explore.problem import Problem
from nas.pareto import hypervolume_share, nondominated

DRAWS = 500
GRID = 50
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SideFigures:
    """One side.

    Attributes:
        networks, on_front, core_s: by seed: trained, on the front, and the seconds they took (of
            found ones those of the whole search).
        best_bpm, best_smoothed_bpm: report MAE of the best on search people, mean over seeds.
        volumes: hypervolume by box, 0 to 1.
    """

    side: Side
    networks: tuple[int, ...]
    on_front: tuple[int, ...]
    core_s: tuple[float, ...]
    best_bpm: float
    best_smoothed_bpm: float
    volumes: dict[str, Interval]


@dataclass(frozen=True)
class Against:
    """Found against another side, in percent.

    Attributes:
        volumes: by which the hypervolume is larger, by box; None where the other may have none.
        error: by which the error at equal latency is larger (below 0: found errs less); geometric
            mean over latencies, evenly spaced in the logarithm, that both fronts reach.
    """

    side: Side
    volumes: dict[str, Interval | None]
    error: Interval | None


@dataclass(frozen=True)
class HandMade:
    """A hand-made network and the found one that is as small and as fast.

    Attributes:
        name: of the hand-made one; weights, flash, latency and `fits` are its.
        report_bpm, report_smoothed_bpm: its report MAE, mean over seeds.
        seeds: in which a network was found that is as small and as fast.
        found_bpm, found_smoothed_bpm: that one's report MAE, mean over these seeds.
        difference_bpm, difference_percent: found less hand-made over these seeds, raw readings.
    """

    name: str
    weight_bytes: int
    flash_bytes: float
    latency_ms: float
    fits: bool
    report_bpm: float
    report_smoothed_bpm: float
    seeds: int
    found_bpm: float | None = None
    found_smoothed_bpm: float | None = None
    difference_bpm: Interval | None = None
    difference_percent: Interval | None = None


@dataclass(frozen=True)
class Figures:
    """Everything that is printed.

    Attributes:
        corners: of the boxes of the hypervolumes, by box and objective.
    """

    seeds: tuple[int, ...]
    report_people: tuple[str, ...]
    synthetic: bool
    corners: dict[str, dict[str, float]]
    sides: tuple[SideFigures, ...]
    against: tuple[Against, ...]
    hand_made: tuple[HandMade, ...]


def front(records: Sequence[NetworkRecord], side: Side) -> list[NetworkRecord]:
    """The front of a side on search people, fastest first; nothing that breaks a budget."""
    own = [record for record in records if record.side == side and record.fits]
    if not own:
        return []
    keep = nondominated([(record.search_bpm, record.costs.latency_ms) for record in own])
    chosen = [record for record, kept in zip(own, keep, strict=True) if kept]
    return sorted(chosen, key=lambda record: record.costs.latency_ms)


def figures(contest: Contest) -> Figures:
    """Take them."""
    seeds, weights = contest.seeds, _Weights.of(contest.seeds)
    sides = [side for side in SIDES if any(front(seed.records, side) for seed in seeds)]
    volumes = {
        side: {
            name: weights.over_seeds(
                [_volumes(front(seed.records, side), box, weights) for seed in seeds]
            )
            for name, box in contest.boxes.items()
        }
        for side in sides
    }
    names = sorted({r.name for seed in seeds for r in seed.records if r.side == "hand-made"})
    made = [_hand_made(name, seeds, weights) for name in names]
    return Figures(
        seeds=tuple(seed.document.config.seed for seed in seeds),
        report_people=weights.names,
        synthetic=any(seed.document.synthetic for seed in seeds),
        corners={name: dict(box.reference) for name, box in contest.boxes.items()},
        sides=tuple(_side(side, seeds, volumes[side]) for side in sides),
        against=tuple(
            Against(
                side,
                {
                    name: _more(volumes["found"][name], volumes[side][name])
                    for name in volumes[side]
                },
                _at_equal_latency(seeds, side, weights),
            )
            for side in sides
            if side != "found"
        ),
        hand_made=tuple(sorted(made, key=lambda row: row.latency_ms)),
    )


def _more(mine: Floats, theirs: Floats) -> Interval | None:
    return Interval.of(100 * (mine / theirs - 1)) if (theirs > 0).all() else None


@dataclass(frozen=True)
class _Weights:
    """Weights of people and seeds, `(1 + DRAWS, ...)`; row 0 weighs all the same.

    Attributes:
        names: of the report people of all seeds.
        people: `(1 + DRAWS, people)`.
        seeds: `(1 + DRAWS, seeds)`.
    """

    names: tuple[str, ...]
    people: Floats
    seeds: Floats

    @staticmethod
    def of(seeds: Sequence[SeedResult]) -> _Weights:
        names = sorted({who for seed in seeds for r in seed.records for who in r.report_bpm})
        rng = np.random.default_rng(0)
        people, by_seed = (
            np.vstack([np.ones(count), rng.exponential(size=(DRAWS, count))])
            for count in (len(names), len(seeds))
        )
        return _Weights(tuple(names), people, by_seed)

    def mae(self, record: NetworkRecord) -> Floats:
        """Report MAE of a network, `(1 + DRAWS,)`."""
        columns = [self.names.index(who) for who in record.report_bpm]
        own = self.people[:, columns]
        found: Floats = own @ np.array(list(record.report_bpm.values())) / own.sum(axis=1)
        return found

    def over_seeds(self, rows: Sequence[Floats | None]) -> Floats:
        """Mean over the seeds that have a row, `(1 + DRAWS,)`."""
        having = [index for index, row in enumerate(rows) if row is not None]
        own = self.seeds[:, having]
        values = np.stack([row for row in rows if row is not None], axis=1)
        found: Floats = (own * values).sum(axis=1) / own.sum(axis=1)
        return found


def _volumes(chosen: Sequence[NetworkRecord], problem: Problem, weights: _Weights) -> Floats:
    if not chosen:
        return np.zeros(1 + DRAWS)
    errors = np.stack([weights.mae(record) for record in chosen], axis=1)
    return np.array(
        [
            hypervolume_share(
                [
                    problem.objective_values(bpm, record.costs)
                    for bpm, record in zip(row, chosen, strict=True)
                ],
                problem.reference_values,
            )
            for row in errors.tolist()
        ]
    )


def _side(side: Side, seeds: Sequence[SeedResult], volumes: Mapping[str, Floats]) -> SideFigures:
    trained = [[r for r in seed.records if r.side == side] for seed in seeds]
    fronts = [front(seed.records, side) for seed in seeds]
    best = [min(each, key=lambda r: r.search_bpm) for each in fronts if each]
    best_bpm, best_smoothed_bpm = _mean_errors(best)
    return SideFigures(
        side,
        networks=tuple(map(len, trained)),
        on_front=tuple(map(len, fronts)),
        core_s=tuple(
            seed.allowed_s if side == "found" else sum(r.seconds or 0.0 for r in records)
            for seed, records in zip(seeds, trained, strict=True)
        ),
        best_bpm=best_bpm,
        best_smoothed_bpm=best_smoothed_bpm,
        volumes={name: Interval.of(drawn) for name, drawn in volumes.items()},
    )


def reached(chosen: Sequence[NetworkRecord], latency_ms: float) -> NetworkRecord:
    """What search people choose of a front within a latency, which its fastest keeps."""
    return [record for record in chosen if record.costs.latency_ms <= latency_ms][-1]


def _at_equal_latency(
    seeds: Sequence[SeedResult], side: Side, weights: _Weights
) -> Interval | None:
    def ratio(seed: SeedResult) -> Floats | None:
        pair = [front(seed.records, each) for each in ("found", side)]
        if not all(pair):
            return None
        start_ms = max(each[0].costs.latency_ms for each in pair)
        end_ms = max(each[-1].costs.latency_ms for each in pair)
        grid = np.geomspace(start_ms, end_ms, GRID)
        grid[0] = start_ms  # rounding must not put it before the first network
        mine, theirs = (
            np.stack([np.log(weights.mae(reached(each, x))) for x in grid]) for each in pair
        )
        found: Floats = (mine - theirs).mean(axis=0)
        return found

    rows = [ratio(seed) for seed in seeds]
    if all(row is None for row in rows):
        return None
    return Interval.of(100 * np.expm1(weights.over_seeds(rows)))


def _hand_made(name: str, seeds: Sequence[SeedResult], weights: _Weights) -> HandMade:
    made, pairs = [], []
    for seed in seeds:
        own = next(r for r in seed.records if r.side == "hand-made" and r.name == name)
        found = [r for r in seed.records if r.side == "found" and _within(r, own)]
        made.append(own)
        pairs.append((min(found, key=lambda r: r.search_bpm), own) if found else None)
    costs, picked = made[0].costs, [pair[0] for pair in pairs if pair]
    row = HandMade(
        name,
        costs.weight_bytes,
        costs.flash_bytes,
        costs.latency_ms,
        made[0].fits,
        *_mean_errors(made),
        seeds=len(picked),
    )
    if not picked:
        return row
    mine, theirs = (
        weights.over_seeds([weights.mae(pair[which]) if pair else None for pair in pairs])
        for which in (0, 1)
    )
    found_bpm, found_smoothed_bpm = _mean_errors(picked)
    return replace(
        row,
        found_bpm=found_bpm,
        found_smoothed_bpm=found_smoothed_bpm,
        difference_bpm=Interval.of(mine - theirs),
        difference_percent=Interval.of(100 * (mine / theirs - 1)),
    )


def _mean_errors(records: Sequence[NetworkRecord]) -> tuple[float, float]:
    """Report MAE, raw and smoothed: mean over people, then over records."""
    return (
        fmean(fmean(record.report_bpm.values()) for record in records),
        fmean(fmean(record.report_smoothed_bpm.values()) for record in records),
    )


def _within(record: NetworkRecord, other: NetworkRecord) -> bool:
    return (
        record.costs.flash_bytes <= other.costs.flash_bytes
        and record.costs.latency_ms <= other.costs.latency_ms
    )
