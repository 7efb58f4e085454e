"""Whom a search meets, for how long, and that a killed contest goes on."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import pytest

from distill.scratch import Trained
from nas.bench.search import contest as module
from nas.bench.search.contest import Contest, contest
from nas.bench.search.figures import figures
from nas.bench.search.sides import (
    HAND_MADE,
    NetworkRecord,
    by_size,
    drawn,
    hand_made,
    read_records,
)
from nas.run.config import SearchConfig
from nas.run.documents import write_kept
from nas.run.folder import RunDir
from nas.run.job.progress import Silent, Tick
from nas.run.resolve import resolve
from nas.run.target import load_target
from nas.search import search
from ppgnas.errors import RunError
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace
from tests.nas.bench.search.made import record
from tests.nas.fakes import Base, FakeTrainer, fake_mae, few_drawn, write_people

EACH_S = 30.0
SPACE = SearchSpace.preset("tiny")


class Killed(Exception):
    """In place of a signal."""


class FakeSideTrainer(Base):
    """Trains one network after the other, `EACH_S` each, by no clock.

    Args:
        people: of the contest.
        calls: where to note what was asked.
        kill_after: networks, counted over all sides; then it is killed.
    """

    def __init__(
        self, config: SearchConfig, *, calls: list[str], kill_after: int = 10**6, **given: Any
    ) -> None:
        self.report = {r.person: 0.0 for r in given["people"].report}
        self.calls, self.kill_after = calls, kill_after

    def prepare_teacher(self, progress: Tick) -> None:
        self.calls.append("teacher")

    def train(
        self,
        archs: Iterator[Arch],
        *,
        go_on: Callable[[float], bool],
        beat: Callable[[float], None],
        on_done: Callable[[Arch, Trained], None],
    ) -> None:
        while go_on(0.0):
            beat(0.0)
            arch = next(archs, None)
            if arch is None:
                return
            if len(self.calls) > self.kill_after:  # the teacher is one of them
                raise Killed
            self.calls.append(arch.id)
            errors = {who: fake_mae(arch) for who in self.report}
            on_done(arch, Trained(EACH_S, fake_mae(arch), errors, errors))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module", autouse=True)
def hundred_seconds() -> Iterator[None]:
    """Every search takes 100 s of one core, and the teacher a thousand that count for nobody.

    It draws few networks, and no page.
    """

    def timed(config: SearchConfig, run: RunDir, **given: Any) -> None:
        with few_drawn(page=False):
            search(config, run, **given)
        times = {"teacher": 1000.0, "search": 60.0, "finalists": 40.0}
        # beside others the clock went on for much longer than the core worked
        slow = {phase: 9 * seconds for phase, seconds in times.items()}
        run.write_document(replace(run.document(), time_s=slow, core_s=times))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "search", timed)
        patch.setattr("nas.bench.search.sides.DRAWN", 60)
        yield


@pytest.fixture(scope="module")
def finished(people: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contest]:
    out = tmp_path_factory.mktemp("contests") / "contest"
    return out, hold(people, out, [], seeds=(0, 1))


@pytest.fixture
def searched(finished: tuple[Path, Contest], tmp_path: Path) -> Path:
    """A contest whose search of seed 0 is done, and nothing else."""
    found = "seed-0/found"
    shutil.copytree(finished[0] / found, tmp_path / "contest" / found)
    return tmp_path / "contest"


def hold(
    people: Path, out: Path, calls: list[str], *, seeds: tuple[int, ...] = (0,), **given: Any
) -> Contest:
    options = {"budget": "80KB", "data": str(people), "space": "tiny", "effort": "smoke"}
    return contest(
        resolve({**options, "finalists": 2, "trials": 30}),
        out,
        seeds=seeds,
        command="ppgnas bench search",
        progress=Silent(),
        make_trainer=partial(FakeTrainer, calls=calls),
        make_side_trainer=partial(FakeSideTrainer, calls=calls, **given),
    )


def count(records: tuple[NetworkRecord, ...]) -> Counter[str]:
    return Counter(each.side for each in records)


def test_all_sides_get_the_seconds_of_the_search(finished: tuple[Path, Contest]) -> None:
    """Three networks in 90 s, and a fourth that was begun before 100 s; the hand-made get all."""
    held = finished[1]
    for seed in held.seeds:
        assert seed.allowed_s == 100.0
        assert count(seed.records) == {"found": 2, "random": 4, "sizes": 4, "hand-made": 6}
    first, second = held.seeds
    assert {r.arch for r in first.records if r.side == "random"} != {
        r.arch for r in second.records if r.side == "random"
    }
    names = {r.name for r in first.records if r.side == "hand-made"}
    assert names == set(HAND_MADE)
    assert [r.name for r in first.records if r.side == "found"] == ["1", "2"]
    found = figures(held)
    assert [row.core_s for row in found.sides] == [(100.0,) * 2, *[(120.0,) * 2] * 2, (180.0,) * 2]
    assert list(held.boxes) == ["MAE, latency", "near", "all objectives"]
    assert found.corners["near"]["mae_bpm"] == 5.0
    reported = {who for seed in held.seeds for who in seed.document.split.report}
    assert set(found.report_people) == reported


def test_at_least_one_network_is_trained(
    searched: Path, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAID", ())
    (seed,) = hold(people, searched, []).seeds
    assert count(seed.records) == {"found": 2, "random": 1, "sizes": 1, "hand-made": 6}


@pytest.mark.parametrize("kill_after", [2, 6, 12])
def test_a_killed_contest_goes_on_to_the_same_records(
    finished: tuple[Path, Contest], searched: Path, people: Path, kill_after: int
) -> None:
    calls: list[str] = []
    with pytest.raises(Killed):
        hold(people, searched, calls, kill_after=kill_after)
    assert calls.count("teacher") == 1 and len(calls) == 1 + kill_after
    (searched / "seed-0" / "cache").mkdir()
    resumed = hold(people, searched, calls)
    assert resumed.seeds[0].records == finished[1].seeds[0].records
    trained = [name for name in calls if name != "teacher"]
    assert len(trained) == 4 + 4 + 6  # none of them twice
    assert not (searched / "seed-0" / "cache").exists()


def test_a_finished_contest_trains_nothing(finished: tuple[Path, Contest], people: Path) -> None:
    out, first = finished
    calls: list[str] = []
    assert hold(people, out, calls, seeds=(1,)).seeds == first.seeds[1:]
    assert calls == []


def test_other_people_are_refused(searched: Path, people: Path, tmp_path: Path) -> None:
    shutil.copytree(people, tmp_path / "people")
    (one, *_) = (tmp_path / "people").rglob("*.npz")
    one.unlink()
    run = RunDir(searched / "seed-0" / "found")
    config = replace(run.document().config, data=str(tmp_path / "people"))
    run.write_document(replace(run.document(), config=config))
    with pytest.raises(RunError, match="the recordings changed since"):
        hold(tmp_path / "people", searched, [])


@pytest.mark.slow
def test_a_contest_of_real_trainings(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights, the teacher of the search, workers, and report people."""
    monkeypatch.setattr(module, "PAID", ())  # one network a side is enough, two hand-made ones
    monkeypatch.setattr("nas.bench.search.sides.HAND_MADE", ("tiny", "small"))
    options = {"budget": "80KB", "data": str(people), "space": "tiny", "effort": "smoke"}
    held = contest(
        resolve({**options, "finalists": 1, "trials": 20}),
        tmp_path,
        seeds=(0,),
        command="ppgnas bench search",
        progress=Silent(),
    )
    (seed,) = held.seeds
    assert count(seed.records) == {"found": 1, "random": 1, "sizes": 1, "hand-made": 2}
    for each in seed.records:
        assert set(each.report_bpm) == set(seed.document.split.report)
        assert each.report_bpm.keys() == each.report_smoothed_bpm.keys()
        assert 0 < each.search_bpm < 150 and all(0 < bpm < 150 for bpm in each.report_bpm.values())
        assert each.side == "found" or (each.seconds or 0) > 0
    assert not (tmp_path / "seed-0" / "cache").exists()


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = record("random", 2.0, 3.0, (4.0, 5.0))
    path = tmp_path / f"{written.arch.id}.json"
    write_kept(path, written)
    assert read_records(tmp_path) == [written]
    path.write_text("{}")
    with pytest.raises(RunError, match="is damaged"):
        read_records(tmp_path)
    assert read_records(tmp_path / "nowhere") == []


def weights_of(arch: Arch) -> float:
    return load_target("stm32h743", "ppgnas-c").costs(arch).weight_bytes


def test_random_networks_fit_and_follow_the_seed() -> None:
    def fits(arch: Arch) -> bool:
        return arch.stem_width == 8

    some = [arch for arch, _ in zip(drawn(SPACE, fits, seed="0"), range(30), strict=False)]
    again = [arch for arch, _ in zip(drawn(SPACE, fits, seed="0"), range(30), strict=False)]
    assert some == again and len(set(some)) == 30 and all(map(fits, some))
    assert next(drawn(SPACE, fits, seed="1")) != some[0]
    assert list(drawn(SPACE, lambda _: False, seed="0")) == []


def test_by_size_goes_through_the_classes_from_the_largest() -> None:
    archs = [SPACE.sample(random.Random(number)) for number in range(60)]
    ordered = by_size(iter(archs), weights_of, classes=4)
    assert Counter(ordered) == Counter(archs)
    sizes = [log(weights_of(arch)) for arch in ordered]
    width = (max(sizes) - min(sizes)) / 4
    classes = [min(int((size - min(sizes)) / width), 3) for size in sizes]
    assert classes[:8] == [3, 2, 1, 0, 3, 2, 1, 0]
    assert by_size(iter([]), weights_of, classes=4) == []


def test_hand_made_networks_read_what_there_is() -> None:
    assert list(hand_made(acceleration=True, rates_hz=(16, 32))) == list(HAND_MADE)
    bare = hand_made(acceleration=False, rates_hz=(16,))
    assert set(bare) == {"tiny", "small", "timeppg-small", "kd-pulse-student"}
    assert not any(arch.acceleration for arch in bare.values())
