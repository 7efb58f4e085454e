"""Budgets, limits and objectives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hwmodels.boards import Board
from hwmodels.costs import Costs
from hwmodels.path import Surroundings
from nas.explore.problem import Elsewhere, Problem, descend, limits_of, probe
from nas.run.config import Budgets, ConfigError, Objective
from ppgnas.errors import NothingFitsError
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace
from tests.nas.explore.made import COSTS
from tests.nas.explore.probed import DEFAULT, OBJECTIVES, TARGET, TINY, cost_of, probed


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


@pytest.mark.parametrize(
    ("objectives", "words"),
    [
        (("mae", "latency"), "3.50 BPM at 2.00 ms"),
        (("mae", "sram"), "3.50 BPM at 512 B of SRAM"),
        (("mae", "flash", "power"), "3.50 BPM at 2 KB of flash and 0.5 mW"),
        (("mae",), "3.50 BPM"),
    ],
)
def test_the_objectives_in_words(objectives: tuple[Objective, ...], words: str) -> None:
    costs = replace(COSTS, power_mw=0.5)
    assert Problem(objectives, {}, "total", {}).in_words(3.5, costs) == words


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
    from nas.run.resolve import resolve

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


def test_the_time_from_one_reading_to_the_next_is_a_limit_too() -> None:
    least_ms = min(cost_of(arch).latency_ms for arch in TINY)
    options: Any = {"budgets": Budgets(flash_bytes=10**6), "objectives": OBJECTIVES}
    with pytest.raises(
        NothingFitsError,
        match=r"The time from one reading to the next stops it: at least .* ms against .* ms "
        r"allowed. Choose a faster `board`, or a longer `rate` or `stride`\.",
    ):
        probe(TINY, cost_of, **options, board=TARGET.board, period_s=0.5e-3 * least_ms)
    found = probe(TINY, cost_of, **options, board=TARGET.board, period_s=1.5e-3 * least_ms)
    kept = [arch for arch in TINY if found.problem.fits(arch, cost_of(arch))]
    assert kept == [arch for arch in TINY if cost_of(arch).latency_ms <= 1.5 * least_ms]
    assert 0 < len(kept) < len(list(TINY))
    assert limits_of(Budgets(latency_ms=3.0), TARGET.board, 1.0)["period"] == 1000.0


def test_limits_hold_on_further_boards() -> None:
    """Twice as slow there: of 4 ms, half is left here."""

    def slower(arch: Arch) -> Costs:
        here = cost_of(arch)
        return replace(here, latency_ms=2 * here.latency_ms)

    budgets = Budgets(latency_ms=4 * cost_of(TINY.smallest()).latency_ms)
    there = Elsewhere("other", slower, limits_of(budgets, TARGET.board, 2.0))
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
