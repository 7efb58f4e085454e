from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from optuna.trial import FrozenTrial

from hwmodels.boards import Board
from hwmodels.costs import Costs
from hwmodels.path import Surroundings
from nas.explore.problem import Elsewhere, Probe, Problem, descend, limits_of, probe
from nas.explore.study import StudySettings, front_of, recounted, run_study
from nas.pareto import hypervolume_share, nondominated
from nas.run.candidates import Candidate
from nas.run.config import SAMPLERS, Budgets, ConfigError, Objective
from nas.run.target import Target, load_target
from ppgnas.errors import NothingFitsError
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace
from tests.nas.explore.made import COSTS
from tests.nas.fakes import fake_mae

OBJECTIVES: tuple[Objective, ...] = ("mae", "latency", "sram")
TARGET: Target = load_target("stm32h743", "tflm-cmsis-nn")
cost_of = lru_cache(maxsize=None)(TARGET.costs)
TINY = SearchSpace.preset("tiny")
DEFAULT = SearchSpace.preset("default")


def probed(
    space: SearchSpace = DEFAULT,
    *,
    budgets: Budgets | None = None,
    objectives: tuple[Objective, ...] = OBJECTIVES,
) -> Probe:
    return probe(
        space,
        cost_of,
        budgets=budgets or Budgets(flash_bytes=80 * 1024),
        objectives=objectives,
        board=TARGET.board,
    )


class Judge:
    """Fake accuracy that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Arch] = []

    def __call__(self, arch: Arch) -> float:
        self.asked.append(arch)
        return fake_mae(arch)


def study(
    *,
    sampler: str = "nsga2",
    trials: int = 150,
    seed: int = 0,
    space: SearchSpace = DEFAULT,
    judge: Judge | None = None,
    objectives: tuple[Objective, ...] = OBJECTIVES,
    first: Sequence[Arch] = (),
    stored: Sequence[FrozenTrial] = (),
    on_trial: Callable[[FrozenTrial], None] = lambda trial: None,
) -> list[Candidate]:
    problem = probed(space, objectives=objectives)
    candidates = run_study(
        space,
        problem,
        settings=StudySettings(sampler, trials, seed),
        cost_of=cost_of,
        mae_of=judge or Judge(),
        first=first,
        progress=lambda done, total, note: None,
        stored=stored,
        on_trial=on_trial,
    )
    return recounted(candidates, problem.problem)


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "gp"])
def test_every_sampler_considers_what_it_was_asked_for(sampler: str) -> None:
    judge = Judge()
    candidates = study(sampler=sampler, trials=70, judge=judge)
    assert [c.number for c in candidates] == list(range(70))
    assert len({c.arch for c in candidates}) == 70
    assert all(DEFAULT.build(DEFAULT.choices_of(c.arch)) == c.arch for c in candidates)
    # Accuracy is asked for once for each that fits, and never for what does not.
    assert judge.asked == [c.arch for c in candidates if c.feasible]
    assert all((c.mae_bpm is None) == (not c.feasible) for c in candidates)
    assert any(not c.feasible for c in candidates)


@pytest.mark.slow
def test_gp_works() -> None:
    assert len(study(sampler="gp", trials=13, space=TINY)) == 13


def test_feasible_means_within_every_limit() -> None:
    for candidate in study():
        assert candidate.costs == TARGET.costs(candidate.arch)
        assert candidate.feasible == (candidate.costs.flash_bytes <= 80 * 1024)


def test_the_seed_decides_the_study() -> None:
    first = study(seed=4)
    assert study(seed=4) == first
    assert study(seed=5) != first


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_what_comes_first_is_considered_before_any_proposal(sampler: str) -> None:
    start = probed().start
    first = [DEFAULT.largest(), start, DEFAULT.sample(random.Random(1))]
    candidates = study(sampler=sampler, trials=20, first=first)
    assert [c.arch for c in candidates[:3]] == [start, first[0], first[2]]
    assert len(candidates) == 20


@pytest.mark.parametrize(
    ("sampler", "killed_after", "count"),
    [("nsga2", 2, 10), ("nsga2", 61, 66), ("nsga3", 61, 66), ("tpe", 13, 17), ("random", 9, 12)],
)
def test_a_study_that_goes_on_from_stored_trials_is_the_uninterrupted_one(
    sampler: str, killed_after: int, count: int
) -> None:
    trials: list[FrozenTrial] = []
    first = [DEFAULT.largest(), DEFAULT.sample(random.Random(1)), DEFAULT.smallest()]
    whole = study(sampler=sampler, trials=count, first=first, on_trial=trials.append)
    judge = Judge()
    further: list[FrozenTrial] = []
    stored = trials[:killed_after]
    resumed = study(
        sampler=sampler,
        trials=count,
        first=first,
        judge=judge,
        stored=stored,
        on_trial=further.append,
    )
    assert resumed == whole
    assert len(stored) + len(further) == len(trials)
    known = {trial.user_attrs["id"] for trial in stored}
    assert not known & {arch.id for arch in judge.asked}


def test_a_small_space_goes_on_from_stored_trials() -> None:
    small = replace(
        TINY,
        stages=tuple(replace(stage, kernel=(5,), depth=stage.depth[:1]) for stage in TINY.stages),
    )
    trials: list[FrozenTrial] = []
    whole = study(space=small, trials=10_000, on_trial=trials.append)
    judge = Judge()
    assert study(space=small, trials=10_000, judge=judge, stored=trials[:9]) == whole
    assert len(judge.asked) == sum(c.feasible for c in whole[9:])


def test_a_small_space_is_gone_through_once() -> None:
    small = replace(
        TINY,
        stages=tuple(replace(stage, kernel=(5,), depth=stage.depth[:1]) for stage in TINY.stages),
    )
    judge = Judge()
    candidates = study(space=small, trials=10_000, judge=judge)
    assert {c.arch for c in candidates} == set(small)
    assert len(candidates) == small.size < 200
    assert len(judge.asked) == len(set(judge.asked))


def test_a_sampler_that_repeats_itself_still_finds_new_ones() -> None:
    small = replace(
        TINY,
        stages=tuple(replace(stage, kernel=(5,), depth=stage.depth[:1]) for stage in TINY.stages),
    )
    wanted = small.size - 1
    candidates = study(space=small, trials=wanted)
    assert len({c.arch for c in candidates}) == wanted


def test_hypervolume_and_front_against_a_direct_count() -> None:
    candidates = study(trials=120)
    problem = probed().problem
    values = np.array(
        [problem.objective_values(c.mae_bpm, c.costs) for c in candidates if c.mae_bpm is not None]
    )
    numbers = [c.number for c in candidates if c.feasible]
    keep = nondominated(values)
    expected = [number for number, on in zip(numbers, keep, strict=True) if on]
    assert [c.number for c in front_of(candidates, problem)] == expected
    assert candidates[-1].hypervolume == pytest.approx(
        hypervolume_share(values, problem.reference_values), rel=1e-12
    )
    half = [n for n in numbers if n < 60]
    assert candidates[59].hypervolume == pytest.approx(
        hypervolume_share(values[: len(half)], problem.reference_values), rel=1e-12
    )
    course = [c.hypervolume for c in candidates]
    assert course == sorted(course)
    assert 0 < course[0] < course[-1] < 1


@pytest.mark.parametrize("objectives", [("mae",), ("mae", "latency", "flash", "sram")])
def test_one_to_four_objectives(objectives: tuple[Objective, ...]) -> None:
    candidates = study(trials=60, space=TINY, objectives=objectives)
    assert len(candidates) == 60
    front = front_of(candidates, probed(TINY, objectives=objectives).problem)
    errors = [c.mae_bpm for c in candidates if c.mae_bpm is not None]
    assert min(errors) in [c.mae_bpm for c in front]
    if objectives == ("mae",):
        assert len(front) == 1
        assert candidates[-1].hypervolume == pytest.approx(1 - min(errors) / 30)


def test_nsga2_beats_random_search() -> None:
    guided = study(trials=600)
    blind = study(trials=600, sampler="random")
    assert guided[-1].hypervolume > blind[-1].hypervolume


# ---- the problem ------------------------------------------------------------------------------


def test_constraints_by_hand() -> None:
    limits = {"flash": 1024.0, "latency": 4.0, "board sram": 512.0}
    problem = Problem(("mae", "latency"), limits, "total", {"mae_bpm": 30.0, "latency_ms": 5.0})
    assert problem.constraints(TINY.smallest(), COSTS) == {
        "flash": 1.0,
        "latency": -0.5,
        "board sram": 0.0,
    }
    by_model = replace(problem, flash_scope="model")
    assert by_model.constraints(TINY.smallest(), COSTS)["flash"] == 0.0
    assert problem.objective_values(3.5, COSTS) == (3.5, 2.0)
    assert problem.reference_values == (30.0, 5.0)
    assert problem.by_ratio(30.0, COSTS, least_bpm=20.0) == pytest.approx((0.0, np.log(0.4)))
    assert problem.by_ratio(6.0, COSTS, least_bpm=1.5)[0] == pytest.approx(np.log(2))


def test_the_reference_point_does_not_depend_on_the_seed_and_honours_limits() -> None:
    free = probed().problem.reference
    assert free == probed().problem.reference
    assert free["mae_bpm"] == 30.0
    limited = probed(budgets=Budgets(latency_ms=3.0)).problem.reference
    assert limited["latency_ms"] == 3.0
    assert limited["sram_bytes"] > TARGET.costs(DEFAULT.smallest()).sram_bytes


@pytest.mark.parametrize(
    ("space", "budgets", "why"),
    [
        (TINY, Budgets(latency_ms=50), "all networks of the space 'tiny' read the same sensors"),
        (
            DEFAULT,
            Budgets(latency_ms=50, scope="network"),
            "`budget_scope` is network, which leaves the sensors out",
        ),
    ],
)
def test_power_beside_latency_has_to_say_something(
    space: SearchSpace, budgets: Budgets, why: str
) -> None:
    asked: tuple[Objective, ...] = ("mae", "latency", "power")
    with pytest.raises(ConfigError) as caught:
        probed(space, budgets=budgets, objectives=asked)
    assert str(caught.value) == (
        f"`objectives` holds latency and power, and {why}: power is then the board's sleep plus a "
        "multiple of the latency, and orders networks the same. Leave one of them out"
    )


def test_acceleration_costs_its_path_and_its_sensor() -> None:
    target = replace(TARGET, around=Surroundings(accelerometer_mw=0.012, ppg_sensor_mw=0.15))
    arch = DEFAULT.smallest()
    ppg, both = (
        target.costs(DEFAULT.canonical(replace(arch, acceleration=acc))) for acc in (False, True)
    )
    assert both.sensors_mw - ppg.sensors_mw == pytest.approx(0.012)
    for key in ("path_ms", "path_flash_bytes", "path_sram_bytes", "path_mj"):
        assert getattr(both, key) > 1.2 * getattr(ppg, key) > 0
    assert both.power_mw - ppg.power_mw > 0.012
    alone = replace(target, path_counts=False).costs(arch)
    assert alone == TARGET.costs(arch)  # as before the path was counted


def test_the_start_fits() -> None:
    found = probed(budgets=Budgets(flash_bytes=80 * 1024, latency_ms=1.0))
    assert found.problem.fits(found.start, TARGET.costs(found.start))


@pytest.mark.parametrize(
    ("budgets", "option"),
    [
        (Budgets(flash_bytes=20 * 1024), "`budget`"),
        (Budgets(flash_bytes=100, scope="model"), "`budget`"),
        (Budgets(latency_ms=0.01), "`latency`"),
        (Budgets(sram_bytes=2048), "`sram`"),
        (Budgets(power_mw=0.01), "`power`"),
        (Budgets(flash_bytes=80 * 1024, latency_ms=0.01), "`latency`"),
    ],
)
def test_nothing_fits_names_the_budget_and_one_that_would_fit(
    budgets: Budgets, option: str
) -> None:
    from nas.run.config import resolve

    with pytest.raises(NothingFitsError) as caught:
        probed(budgets=budgets)
    message = str(caught.value)
    assert caught.value.exit_code == 3
    stops = [line for line in message.splitlines() if "stops it" in line]
    assert len(stops) == 1
    assert stops[0].startswith(f"{option} stops it: at least ")
    assert "Closest candidate: " in message
    # The figure that is named does fit, and one below it does not.
    suggested = stops[0].split(f"{option} ")[-1].rstrip(".")
    names = {
        "`budget`": "flash_bytes",
        "`latency`": "latency_ms",
        "`sram`": "sram_bytes",
        "`power`": "power_mw",
    }
    field = names[option]
    read = resolve({option.strip("`"): suggested}).budgets
    fitting = replace(budgets, **{field: getattr(read, field)})
    assert probed(budgets=fitting).start
    with pytest.raises(NothingFitsError):
        below = getattr(read, field) * 0.95 - 1024 * field.endswith("bytes")
        probed(budgets=replace(fitting, **{field: max(below, getattr(budgets, field))}))


def holding(sram_bytes: int) -> Board:
    return replace(TARGET.board, flash_bytes=10**6, sram_bytes=sram_bytes)


def test_two_budgets_that_stop_each_other() -> None:
    """Each can be met alone; together they cannot: both are named."""

    def seesaw(arch: Arch) -> Costs:
        wide = arch.stem_width == TINY.stem_width[-1]
        return replace(COSTS, latency_ms=1.0 if wide else 3.0, sram_bytes=900 if wide else 300)

    with pytest.raises(NothingFitsError) as caught:
        probe(
            TINY,
            seesaw,
            budgets=Budgets(latency_ms=2.0, sram_bytes=500),
            objectives=OBJECTIVES,
            board=holding(10**6),
        )
    message = str(caught.value)
    assert "`latency` stops it: at least 3 ms against 2 ms allowed" in message
    assert "The smallest that would fit is `latency` 3ms." in message
    assert "`sram` stops it: at least 900 B against 500 B allowed" in message


def test_the_board_is_a_limit_too() -> None:
    with pytest.raises(NothingFitsError, match=r"The board sram stops it: at least .* `board`"):
        probe(
            DEFAULT,
            cost_of,
            budgets=Budgets(flash_bytes=10**6),
            objectives=OBJECTIVES,
            board=holding(1024),
        )


def test_limits_hold_on_further_boards() -> None:
    """Twice as slow there: of 4 ms, half is left here."""

    def slower(arch: Arch) -> Costs:
        here = cost_of(arch)
        return replace(here, latency_ms=2 * here.latency_ms)

    budgets = Budgets(latency_ms=4 * cost_of(TINY.smallest()).latency_ms)
    there = Elsewhere("other", slower, limits_of(budgets, TARGET.board))
    options: Any = {"budgets": budgets, "objectives": OBJECTIVES, "board": TARGET.board}
    alone = probe(TINY, cost_of, **options)
    both = probe(TINY, cost_of, **options, elsewhere=[there])
    assert both.problem.fits(both.start, cost_of(both.start))
    some = [arch for arch in TINY if alone.problem.fits(arch, cost_of(arch))]
    kept = [arch for arch in some if both.problem.fits(arch, cost_of(arch))]
    assert kept == [a for a in some if slower(a).latency_ms <= there.limits["latency"]]
    assert 0 < len(kept) < len(some)
    excess = both.problem.constraints(kept[0], cost_of(kept[0]))
    assert excess["other latency"] == slower(kept[0]).latency_ms / there.limits["latency"] - 1

    small = replace(there, limits={**there.limits, "board sram": 100.0})
    with pytest.raises(
        NothingFitsError, match=r"^On other, nothing in the space .*\n.*board sram"
    ):
        probe(TINY, cost_of, **options, elsewhere=[small])


def test_descend_finds_the_cheapest_of_a_small_space() -> None:
    def latency(arch: Arch) -> tuple[float, ...]:
        return (cost_of(arch).latency_ms,)

    found = descend(TINY, (TINY.largest(),), latency)
    assert latency(found) == min(latency(arch) for arch in TINY)
