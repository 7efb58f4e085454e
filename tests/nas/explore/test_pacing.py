"""Steps that fill a time: from the pace, within it, and the same again when a run goes on."""

from __future__ import annotations

import itertools
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from distill.pace import Pace
from distill.trainer import Trainer
from distill.training.effort import EFFORTS, Effort, share_of
from distill.training.recipe import load_recipe
from nas.explore.evidence import AMOUNTS
from nas.explore.finalists import ENTRANTS
from nas.explore.pacing import QAT_COST, RESERVE, Pacing, Scale
from nas.run.config import ConfigError, SearchConfig
from nas.run.resolve import resolve
from ppgnas.errors import BudgetError
from search_spaces.plan import plan
from search_spaces.space import SearchSpace
from tests.nas.fakes import FakeTrainer

PACE = Pace(teacher=0.06, pool=0.02, network=0.02)
SCALE = Scale(AMOUNTS["quick"], finalists=8, trials=1500)


class Clock:
    """Seconds that a test moves on by hand, of which a process gets a share."""

    def __init__(self, share: float = 1.0) -> None:
        self.now_s, self.share = 0.0, share

    def __call__(self) -> float:
        return self.now_s

    def worked(self) -> float:
        return self.share * self.now_s


class Paced(FakeTrainer):
    """Measuring the pace takes three core-seconds, and a step as long as the clock says."""

    clock: Clock

    def pace(self) -> Pace:
        self.clock.now_s += 3.0 / self.clock.share
        return Pace(*(each / self.clock.share for each in asdict(PACE).values()))


def pacing(folder: Path, clock: Clock, *, time_s: float = 600.0, cores: int = 2) -> Pacing:
    return Pacing(folder / "effort.json", time_s, time_s, cores, SCALE, clock, clock.worked)


def begun(folder: Path, clock: Clock, *, time_s: float = 600.0, cores: int = 2) -> Begun:
    paced = Paced(SearchSpace.preset("tiny"), folder=folder, effort=EFFORTS["quick"])
    paced.clock = clock
    said: list[str] = []
    return Begun(
        *pacing(folder, clock, time_s=time_s, cores=cores).from_the_start(paced, said.append),
        said,
    )


class Begun(NamedTuple):
    pacing: Pacing
    trainer: Trainer
    said: list[str]


def trainer(folder: Path) -> FakeTrainer:
    return FakeTrainer(SearchSpace.preset("tiny"), folder=folder, effort=EFFORTS["quick"])


def core_seconds(effort: Effort, rungs: int, finalists: int) -> float:
    """What the networks of a search take by the pace, half as many again half of the steps."""
    half_way = round(ENTRANTS * finalists)
    begun = max(0, rungs - half_way) * effort.first_rung
    further = (half_way - finalists) * effort.half_way
    whole = finalists * (effort.finetune_steps + QAT_COST * effort.qat_steps)
    return (begun + further + whole) * PACE.network


@pytest.mark.parametrize("cores", [1, 2, 16])
@pytest.mark.parametrize("share", [1.0, 0.25])
@pytest.mark.parametrize("time_s", [60.0, 120.0, 600.0, 3600.0])
def test_the_steps_fill_the_time_or_the_least_that_a_search_takes(
    tmp_path: Path, time_s: float, share: float, cores: int
) -> None:
    paced, found, said = begun(tmp_path, Clock(share), time_s=time_s, cores=cores)
    effort, scale = found.effort, paced.scale
    pair = min(2, cores)
    trained_s = (
        effort.teacher_steps * PACE.teacher / pair
        + effort.pool_batches * PACE.pool
        + core_seconds(effort, scale.amount.most, scale.finalists) / cores
    )
    seconds = (3.0 + scale.fixed_s("all") + trained_s) / share
    assert seconds == pytest.approx((1 - RESERVE) * paced.time_s, rel=0.02)
    assert bool(said) is (paced.time_s > time_s) is (share < 1 and time_s < 600)
    if time_s >= 600:
        assert scale == SCALE
    elif said:
        assert (scale.amount.most, scale.finalists, scale.trials) == (6, 2, 200)


def test_a_time_that_is_too_short_is_told_at_once(tmp_path: Path) -> None:
    clock = Clock(0.25)
    paced, _, said = begun(tmp_path, clock, time_s=120.0)
    assert said == [
        "2 min 00 s are not enough here: a process gets 25 % of a core, and reading, proposals "
        "and report alone take 1 min 21 s. The search will end after about 2 min 07 s, with 2 "
        "finalists, hardly trained; --time can give it longer."
    ]
    assert clock.now_s == 12.0
    assert (paced.time_s, paced.ends_s) == pytest.approx((127.4, 127.4), abs=0.1)
    again = pacing(tmp_path, clock, time_s=120.0)  # goes on: nothing is measured or told again
    same, _ = again.from_the_start(trainer(tmp_path), said.append)
    assert same == paced and len(said) == 1 and clock.now_s == 12.0


def test_later_phases_make_up_for_earlier_ones(tmp_path: Path) -> None:
    clock = Clock()
    paced, first, _ = begun(tmp_path, clock)
    clock.now_s = 400.0  # much later than planned
    second = paced.before_first_rungs(first)
    assert second.effort.finetune_steps < first.effort.finetune_steps
    left_s = (1 - RESERVE) * 600 - 400 - SCALE.fixed_s("first_rungs")
    assert core_seconds(second.effort, 24, 8) / 2 == pytest.approx(left_s, rel=0.03)
    archs = list(itertools.islice(SearchSpace.preset("tiny"), 12))
    clock.now_s = 420.0  # few had to be begun
    more = np.array([share_of(plan(arch).values) for arch in archs])  # small ones get more
    third = paced.before_finalists(second, archs)
    room_s = (1 - RESERVE) * 600 - 420 - SCALE.fixed_s("finalists")
    done_s = second.effort.first_rung * PACE.network  # of a network of middle size, before
    assert more.mean() * third.effort.finetune_steps > second.effort.finetune_steps
    left_s = more.mean() * (core_seconds(third.effort, 0, 8) - 12 * done_s) / 2
    assert left_s == pytest.approx(room_s, rel=0.03)
    (tmp_path / "effort.json").unlink()
    few = paced.before_finalists(second, archs[:2])
    whole = 2 * (few.effort.finetune_steps + QAT_COST * few.effort.qat_steps) * PACE.network
    left_s = more[:2].mean() * (whole - 2 * done_s) / 2
    assert left_s == pytest.approx(room_s, rel=0.03)


def test_a_search_that_is_late_still_trains(tmp_path: Path) -> None:
    clock = Clock()
    paced = pacing(tmp_path, clock)
    clock.now_s = 700.0
    archs = list(itertools.islice(SearchSpace.preset("tiny"), 12))
    late = paced.before_finalists(trainer(tmp_path), archs)  # goes on at half the steps at least
    assert late.effort.finetune_steps == EFFORTS["quick"].finetune_steps // 2


def test_no_further_finalist_begins_where_it_would_end_too_late(tmp_path: Path) -> None:
    clock = Clock()
    paced = pacing(tmp_path, clock)
    ends_s = (1 - RESERVE) * 600 - SCALE.fixed_s("finalists")
    clock.now_s = ends_s - 160
    over = paced.over()
    clock.now_s += 100.0  # the first ended
    assert not over()
    clock.now_s += 20.0  # another would take 60 s longer than there are
    assert over()


def test_what_was_decided_stays(tmp_path: Path) -> None:
    clock = Clock()
    first = begun(tmp_path, clock).trainer.effort
    clock.now_s = 300.0
    assert begun(tmp_path, clock).trainer.effort == first
    assert clock.now_s == 300.0


@pytest.mark.parametrize("time_s", [600.0, 7200.0])  # with the longest first rung as well
@pytest.mark.parametrize("name", ["direct", "post-training", "mine"])
def test_a_recipe_counts(tmp_path: Path, name: str, time_s: float) -> None:
    """`mine` has half as many float steps again, in two generations and before."""
    mine = tmp_path / "mine.toml"
    mine.write_text(
        '[[stages]]\ndo = "train"\nsteps = 0.5\n'
        '[[stages]]\ndo = "born-again"\ngenerations = 2\nsteps = 0.5\n'
        '[[stages]]\ndo = "quantise"\nhow = "aware"\n'
    )
    recipe = load_recipe(mine if name == "mine" else name)
    paced = replace(pacing(tmp_path, Clock(), time_s=time_s), recipe=recipe)
    effort = paced.before_first_rungs(trainer(tmp_path)).effort
    more = 1.5 if name == "mine" else 1.0
    begins = (24 - 12) * effort.first_rung + 4 * effort.half_way
    floats = 8 * more * effort.finetune_steps
    simulated = 8 * QAT_COST * effort.qat_steps * (name != "post-training")
    seconds = (begins + floats + simulated) * PACE.network / 2
    left_s = (1 - RESERVE) * time_s - SCALE.fixed_s("first_rungs")
    assert seconds == pytest.approx(left_s, rel=0.01)


def test_the_time_is_an_argument() -> None:
    config = resolve({"budget": "80KB", "time": "10min"})
    assert config.time_s == 600.0
    assert SearchConfig.from_tables(config.to_tables()) == config
    assert resolve({"budget": "80KB"}).time_s is None
    with pytest.raises(ConfigError, match="`effort` quick and `time` 10min both say how long"):
        resolve({"budget": "80KB", "time": "10min", "effort": "quick"})
    with pytest.raises(ConfigError, match="`time` is 20 s; it must be at least 60 s"):
        resolve({"budget": "80KB", "time": "20s"})
    with pytest.raises(BudgetError, match="`time` '10' has no unit; allowed units: min, s, h"):
        resolve({"budget": "80KB", "time": "10"})
