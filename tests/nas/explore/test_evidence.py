"""What is begun, and what becomes of it, with trainings that take no time."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from distill.training.effort import first_score, rung_score
from hwmodels.costs import Costs
from nas.explore.evidence import INTERVAL_SDS, NEIGHBOURS_SHARE, Amount, Explorer, most_gain
from nas.explore.finalists import choose_finalists
from nas.explore.forecast import Forecast, Forecaster
from nas.explore.problem import Problem, probe
from nas.explore.spread import spread
from nas.explore.study import StudySettings, front_of
from nas.explore.study_file import StudyFile
from nas.pareto import hypervolume
from nas.run.candidates import Candidate
from nas.run.config import Budgets
from nas.run.job.progress import Lines
from nas.run.target import load_target
from search_spaces import published
from search_spaces.arch import Arch
from search_spaces.figures import figures_matrix
from search_spaces.nearest import nearest, neighbours
from search_spaces.space import SearchSpace
from tests.nas.fakes import FakeTrainer, fake_mae, few_drawn

TARGET = load_target("stm32h743", "tflm-cmsis-nn")
TINY = SearchSpace.preset("tiny")
AMOUNT = Amount(spread=6, rounds=2, each=3, last=5)
cost_of = lru_cache(maxsize=None)(TARGET.costs)
PROBED = probe(
    TINY,
    cost_of,
    budgets=Budgets(flash_bytes=66 * 1024),
    objectives=("mae", "latency", "flash"),
    board=TARGET.board,
)
PROBLEM = PROBED.problem


def explorer(folder: Path, calls: list[str], *, seed: int = 0) -> Explorer:
    folder.mkdir(exist_ok=True)
    trainer = FakeTrainer(TINY, folder=folder, calls=calls)
    settings = StudySettings("nsga2", 120, seed)
    file = StudyFile(folder / "study.journal", PROBLEM, TINY)
    return Explorer(TINY, PROBED, settings, cost_of, trainer, Lines(io.StringIO()), file)


def first_bpm(arch: Arch) -> float:
    """What the trainer of tests says after a first rung."""
    return first_score(half_way_bpm(arch), fake_mae(arch))


def half_way_bpm(arch: Arch) -> float:
    """And half way, of search people alone."""
    return rung_score(1.5 * fake_mae(arch), 1.2 * fake_mae(arch))


def fits(arch: Arch) -> bool:
    return PROBLEM.fits(arch, cost_of(arch))


@dataclass(frozen=True)
class Explored:
    """An explorer that has come to its end, with what its trainer was asked."""

    one: Explorer
    calls: list[str]
    candidates: list[Candidate]


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    with few_drawn():
        yield


@pytest.fixture(scope="module")
def explored(tmp_path_factory: pytest.TempPathFactory) -> Explored:
    calls: list[str] = []
    one = explorer(tmp_path_factory.mktemp("explored"), calls)
    return Explored(one, calls, one.explore(AMOUNT))


def test_networks_are_begun_in_the_amounts_and_each_once(explored: Explored) -> None:
    one, candidates = explored.one, explored.candidates
    calls = [call for call in explored.calls if not call.startswith("second rungs ")]
    assert len(calls) == len(set(calls)) and all(call.startswith("first rungs ") for call in calls)
    least = AMOUNT.rounds * AMOUNT.each
    most = AMOUNT.spread + least + AMOUNT.last
    assert least < len(calls) == len(one.begun) <= most
    spread_over = spread(one.drawn, AMOUNT.spread)
    assert calls[: len(spread_over)] == [f"first rungs {arch.id}" for arch in spread_over]
    assert {c.arch for c in candidates if c.first_bpm is not None} == set(one.begun)
    assert all(fits(arch) for arch in one.begun)
    assert len(candidates) == 120


def test_known_networks_are_begun_first_and_their_neighbours_considered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    one = explorer(tmp_path, calls)
    five = one.drawn[5:10]
    monkeypatch.setattr("nas.explore.evidence.known_networks", lambda space, fits: five)
    candidates = one.explore(AMOUNT)
    known = [five[place] for place in (0, 1, 2, 4)]  # 0.6 of the spread
    others = spread(one.drawn, 2, beside=known)
    assert calls[: 4 + len(others)] == [f"first rungs {arch.id}" for arch in (*known, *others)]
    considered = [candidate.arch for candidate in candidates]
    assert set(known) <= set(considered[: 1 + len(one.begun)])
    beside = {other for arch in one.begun for other in neighbours(TINY, arch)}
    share = np.mean([arch in beside for arch in considered])
    assert share > NEIGHBOURS_SHARE


def test_networks_that_the_space_names_alone_are_candidates(tmp_path: Path) -> None:
    calls: list[str] = []
    one = explorer(tmp_path, calls)
    budgets = Budgets(flash_bytes=80 * 1024)
    probed = probe(
        TINY, cost_of, budgets=budgets, objectives=PROBLEM.objectives, board=TARGET.board
    )
    one = replace(one, probed=probed, space=replace(TINY, published=("tiny", "medium")))
    candidates = one.explore(AMOUNT)
    assert one.known == [published.TINY, published.MEDIUM]
    assert calls[:2] == [f"first rungs {arch.id}" for arch in one.known]
    assert [c.arch for c in candidates[-2:]] == one.known
    assert [c.number for c in candidates] == list(range(120 + 2))
    assert all(c.first_bpm is not None and c.mae_bpm is not None for c in candidates[-2:])
    near = [nearest(TINY, arch) for arch in one.known]
    assert {each[0] for each in near if each} <= {c.arch for c in candidates[:20]}
    one.file.write("candidates", candidates)
    assert one.file.candidates() == candidates


def test_a_supernet_has_no_weights_for_them(tmp_path: Path) -> None:
    one = explorer(tmp_path, [])
    trainer = FakeTrainer(TINY, folder=tmp_path, inherit=True)
    one = replace(one, space=replace(TINY, published=("timeppg-small",)), trainer=trainer)
    assert one.known == []


def test_a_spread_lies_apart_from_what_is_beside_it(explored: Explored) -> None:
    drawn = explored.one.drawn
    alone = spread(drawn, 6)
    beside = spread(drawn, 6, beside=alone)
    assert not set(alone) & set(beside)


def test_what_stands_for_the_front_was_begun_and_finalists_are_among_it(
    explored: Explored,
) -> None:
    finalists = choose_finalists(explored.candidates, PROBLEM, 4)
    assert finalists and all(c.first_bpm is not None for c in finalists)
    assert {c.arch for c in finalists} <= set(explored.one.begun)


def test_the_seed_decides_everything(explored: Explored, tmp_path: Path) -> None:
    calls: tuple[list[str], ...] = ([], [])
    again, other = (
        explorer(tmp_path / str(seed), calls[seed], seed=seed).explore(AMOUNT) for seed in (0, 1)
    )
    assert explored.candidates == again and explored.calls[: len(calls[0])] == calls[0]
    assert calls[0] != calls[1] and again != other


def test_candidates_are_judged_by_the_forecast(explored: Explored) -> None:
    one, candidates = explored.one, explored.candidates
    feasible = [c for c in candidates if c.feasible]
    found = Forecaster(one.begun, {}, one.drawn).forecast([c.arch for c in feasible])
    assert [c.mae_bpm for c in feasible] == pytest.approx(found.bpm.tolist())
    assert [c.mae_low_bpm for c in feasible] == pytest.approx(found.quantile(-INTERVAL_SDS))
    assert [c.mae_high_bpm for c in feasible] == pytest.approx(found.quantile(INTERVAL_SDS))
    assert all(c.first_bpm in (None, pytest.approx(first_bpm(c.arch))) for c in feasible)
    unfit = [c for c in candidates if not c.feasible]
    assert unfit and all(c.mae_bpm is None and c.first_bpm is None for c in unfit)


def test_who_could_be_a_finalist_is_judged_half_way(explored: Explored) -> None:
    one, calls = explored.one, explored.calls
    some = choose_finalists(explored.candidates, PROBLEM, 3)
    before = len(calls)
    judged = one.half_way(some)
    assert calls[before:] == [f"second rungs {candidate.arch.id}" for candidate in some]
    archs = [c.arch for c in some]
    foretold = Forecaster(one.begun, {}, one.drawn).forecast(archs).mean
    said = np.log([half_way_bpm(arch) for arch in archs])
    foretold += (said - foretold).mean()  # weights half way err more than whole ones
    found = np.log([c.mae_bpm or 0.0 for c in judged])
    nearer = np.abs(found - said) < np.abs(foretold - said)
    assert nearer.all() and ((found - said) * (found - foretold) < 0).all()


def test_whole_trainings_move_what_is_foretold(explored: Explored) -> None:
    one, candidates = explored.one, explored.candidates
    finalist = choose_finalists(candidates, PROBLEM, 1)[0]
    assert finalist.mae_bpm is not None
    worse = one.judged(candidates, {finalist.arch: 2 * finalist.mae_bpm})
    moved = worse[finalist.number].mae_bpm
    assert moved is not None and moved > 1.1 * finalist.mae_bpm
    assert one.judged(worse, {}) == candidates


def test_drawn_networks_are_different_and_fit(explored: Explored) -> None:
    drawn = explored.one.drawn
    assert drawn[0] == PROBED.start and len(drawn) == len(set(drawn)) > 50
    assert all(fits(arch) for arch in drawn)


def test_picks_promise_the_largest_gain_one_after_the_other(tmp_path: Path) -> None:
    """Against hypervolumes with and without each network, over 25 parts of its distribution."""
    one = explorer(tmp_path, [])
    one._begin(spread(one.drawn, 6), "first")
    candidates = one._study("search", 1.0, "search")
    forecaster = Forecaster(one.begun, {}, one.drawn)
    picked = most_gain(candidates, forecaster, PROBLEM, 3)
    assert len(set(picked)) == 3
    assert all(fits(arch) and arch not in one.begun for arch in picked)

    corner = [0.0] * 3
    draws = norm.ppf((np.arange(25) + 0.5) / 25)
    known = front_of(candidates, PROBLEM)
    least = min(c.mae_bpm or 0.0 for c in known)
    front = [PROBLEM.by_ratio(c.mae_bpm or 0.0, c.costs, least_bpm=least) for c in known]
    before = hypervolume(front, corner)

    def expected(candidate: Candidate) -> float:
        found = forecaster.forecast([candidate.arch])
        errors = (float(np.exp(found.mean + sds * found.own_sd)[0]) for sds in draws)
        after = [[*front, PROBLEM.by_ratio(e, candidate.costs, least_bpm=least)] for e in errors]
        return float(np.mean([hypervolume(each, corner) - before for each in after]))

    new = [c for c in candidates if c.feasible and c.first_bpm is None]
    first = next(candidate for candidate in new if candidate.arch == picked[0])
    assert expected(first) > 0.9 * max(map(expected, new)) > 0


def test_what_is_believed_leaves_less_to_learn_beside_it(tmp_path: Path) -> None:
    one = explorer(tmp_path, [])
    one._begin(spread(one.drawn, 6), "first")
    forecaster = Forecaster(one.begun, {}, one.drawn)
    arch = next(arch for arch in one.drawn if arch not in one.begun)
    before, after = (f.forecast([arch]) for f in (forecaster, forecaster.believing(arch)))
    assert after.own_sd[0] < 0.98 * before.own_sd[0]
    assert after.bpm[0] == pytest.approx(before.bpm[0], rel=0.05)


class Told(Forecaster):
    """Median error in BPM and deviation of each network, as told."""

    def __init__(self, told: dict[Arch, tuple[float, float]]) -> None:
        self.told = told

    def believing(self, arch: Arch) -> Told:
        return self

    def forecast(self, archs: Sequence[Arch]) -> Forecast:
        bpm, sd = np.array([self.told[arch] for arch in archs]).T
        return Forecast(np.log(bpm), sd, sd)


def test_the_gain_is_expected_over_the_whole_distribution_by_hand() -> None:
    """Of the logarithm below 9.5 BPM the sure one gains (0.064 + 0.026) / 5, the doubtful one
    0.112 / 5, or with less doubt 0.022 / 5."""
    problem = Problem(("mae", "latency"), {}, "total", {"mae_bpm": 30.0, "latency_ms": 10.0})
    begun, sure, doubtful = itertools.islice(TINY, 3)
    told = {begun: (10.0, 0.1), sure: (9.5, 0.05), doubtful: (12.0, 0.27)}
    candidates = [
        Candidate(
            number=number,
            arch=arch,
            costs=Costs(1.0 if arch == begun else 5.0, 1e3, 1e3, 1.0, 1.0, 100, 100),
            feasible=True,
            mae_bpm=mae_bpm,
            hypervolume=0.0,
            first_bpm=7.0 if arch == begun else None,
        )
        for number, (arch, (mae_bpm, _)) in enumerate(told.items())
    ]
    assert most_gain(candidates, Told(told), problem, 2) == [doubtful, sure]
    assert most_gain(candidates, Told({**told, doubtful: (12.0, 0.2)}), problem, 1) == [sure]


def test_a_spread_holds_small_and_large_once_each(explored: Explored) -> None:
    drawn = explored.one.drawn
    picked = spread(drawn, 8)
    macs = np.sort(figures_matrix(picked)[:, 0])
    assert len(set(picked)) == len(picked) > 5
    low, high = np.percentile(figures_matrix(drawn)[:, 0], [25, 75])
    assert macs[0] < low and macs[-1] > high
