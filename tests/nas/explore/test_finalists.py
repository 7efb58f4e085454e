from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from deploy import parity
from distill.evaluation import Predictions, Retrained
from hwmodels.costs import Costs
from nas.explore.finalists import (
    Finalist,
    choose_finalists,
    entrants,
    ranked,
    retrain_finalists,
    write_finalists,
)
from nas.explore.problem import Problem
from nas.models.folder import Judging, predictions_csv
from nas.models.readout import Decoding
from nas.pareto import hypervolume
from nas.run.candidates import Candidate
from nas.run.card import NotInC, SearchErrors
from nas.run.folder import RunDir
from nas.run.people import People
from nas.run.target import load_target
from ppg.people.split import Split
from ppg.readout.confidence import Confidence
from ppg.readout.decode import Decoded
from ppg.readout.transitions import Transitions
from ppg.synthetic.recordings import synthesize
from ppg.windows import WindowSet
from ppgnas.errors import ExportError
from search_spaces.space import SearchSpace
from tests.nas.fakes import FakeTrainer, fake_mae, fake_net, silent

PROBLEM = Problem(
    ("mae", "latency"), {"flash": 1e6}, "total", {"mae_bpm": 30.0, "latency_ms": 10.0}
)
ARCHS = tuple(itertools.islice(SearchSpace.preset("tiny"), 40))


def candidate(
    number: int, mae_bpm: float | None, latency_ms: float, first_bpm: float | None = 7.0
) -> Candidate:
    costs = Costs(latency_ms, 1e3, 1e3, 1.0, 1.0, 100, 100)
    return Candidate(
        number, ARCHS[number], costs, mae_bpm is not None, mae_bpm, 0.0, first_bpm=first_bpm
    )


def test_the_best_is_always_chosen_and_only_the_front_is() -> None:
    candidates = [
        candidate(0, 9.0, 1.0),
        candidate(1, 9.5, 1.0),  # dominated
        candidate(2, None, 0.1),  # does not fit
        candidate(3, 4.0, 2.0),
        candidate(4, 2.0, 9.9),  # best MAE at a poor price
    ]
    chosen = choose_finalists(candidates, PROBLEM, 8)
    assert chosen[0].number == 4
    assert sorted(c.number for c in chosen[:3]) == [0, 3, 4] and chosen[3:] == [candidates[1]]
    assert entrants(candidates, PROBLEM, 8) == chosen[:3]
    assert [c.number for c in choose_finalists(candidates, PROBLEM, 1)] == [4]
    assert choose_finalists([candidate(2, None, 0.1)], PROBLEM, 8) == []


def test_who_errs_twice_as_much_as_the_best_comes_last() -> None:
    errors = {0: 2.0, 1: 2.6, 2: 3.2, 3: 3.9, 4: 4.1, 5: 9.0}
    front = [candidate(n, bpm, 8.0 / 2**n) for n, bpm in errors.items()]
    order = [c.number for c in choose_finalists(front, PROBLEM, 8)]
    assert order[0] == 0 and set(order[:4]) == {0, 1, 2, 3} and set(order[4:]) == {4, 5}


def test_the_choice_covers_the_front_better_than_most() -> None:
    rng = np.random.default_rng(0)
    latency = np.sort(rng.uniform(0.5, 9, 12))
    front = [candidate(i, 25 / (1 + t), float(t)) for i, t in enumerate(latency)]
    chosen = choose_finalists(front, PROBLEM, 4)

    def volume(subset: tuple[Candidate, ...] | list[Candidate]) -> float:
        values = [PROBLEM.by_ratio(c.mae_bpm or 0.0, c.costs, least_bpm=least) for c in subset]
        return hypervolume(values, (0.0, 0.0))

    least = min(c.mae_bpm or 0.0 for c in front)
    every = sorted(volume(s) for s in itertools.combinations(front, 4))
    assert np.searchsorted(every, volume(chosen)) > 0.75 * len(every)


def test_finalists_are_chosen_from_what_was_begun() -> None:
    """The best as foretold was never begun: it is the front of the others."""
    never = candidate(4, 2.0, 9.9, first_bpm=None)
    begun = [candidate(0, 9.0, 1.0), candidate(3, 4.0, 2.0), candidate(5, 5.0, 3.0)]
    chosen = choose_finalists([never, *begun], PROBLEM, 8)
    assert [c.number for c in chosen] == [3, 0, 5]


def test_a_known_network_is_met_by_the_best_that_costs_no_more() -> None:
    """2 costs less than the known 1, and shall err a tenth less; 3 is known and unbeaten."""
    errors = {0: (2.0, 9.0), 1: (5.0, 4.0), 2: (4.5, 3.9), 3: (3.0, 4.1), 4: (9.0, 1.0)}
    begun = [candidate(n, bpm, ms) for n, (bpm, ms) in errors.items()]
    known = [begun[1].arch, begun[3].arch]
    half_way = entrants(begun, PROBLEM, 2, known=known)
    assert [c.number for c in half_way] == [0, 1, 3]  # half as many again, the known with them
    chosen = choose_finalists(begun, PROBLEM, 4, known=known)
    assert [c.number for c in chosen[:3]] == [0, 2, 3] and chosen[3].number == 4
    begun[2] = candidate(2, 4.6, 3.9)  # ahead of 1 by less than a tenth
    assert 1 in [c.number for c in choose_finalists(begun, PROBLEM, 4, known=known)]
    assert [c.number for c in choose_finalists(begun, PROBLEM, 1, known=known)] == [0]
    assert entrants([candidate(2, None, 0.1)], PROBLEM, 8, known=known) == []


def test_only_what_is_missing_is_retrained(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    chosen = [candidate(i, 5.0, 1.0 + i) for i in range(3)]
    calls: list[str] = []
    trainer = FakeTrainer(SearchSpace.preset("tiny"), folder=tmp_path, calls=calls)
    retrain_finalists(chosen[:1], trainer, run, silent)
    retrain_finalists(chosen, trainer, run, silent)
    retrained = [call for call in calls if call.startswith("retrain ")]
    assert sorted(retrained) == sorted(f"retrain {c.arch.id}" for c in chosen)
    order = ranked(chosen, run)
    errors = [finalist.search_mae_bpm for finalist in order]
    assert errors == sorted(fake_mae(c.arch) - 0.5 for c in chosen)
    x = np.zeros((2, 1, 256, 4), np.int8)
    from deploy.integers import reference

    for finalist in order:
        expected = reference.run(fake_net(finalist.candidate.arch), x)
        np.testing.assert_array_equal(reference.run(finalist.net, x), expected)


def test_where_the_time_is_over_one_finalist_is_enough(tmp_path: Path) -> None:
    run, calls = RunDir(tmp_path), list[str]()
    chosen = [candidate(i, 5.0, 1.0 + i) for i in range(3)]
    trainer = FakeTrainer(SearchSpace.preset("tiny"), folder=tmp_path, calls=calls)
    done = retrain_finalists(chosen, trainer, run, silent, enough=lambda: True)
    assert [c.number for c in done] == [2]
    assert [call for call in calls if "retrain" in call] == [f"retrain {chosen[2].arch.id}"]
    calls.clear()
    again = retrain_finalists(chosen, trainer, run, silent, enough=lambda: True)
    assert again == done and calls == []  # a run that goes on after its time
    assert retrain_finalists(chosen, trainer, run, silent) == chosen


def judging(engine: str = "tflm-cmsis-nn") -> Judging:
    target = load_target("stm32h743", engine)
    first, second, third = synthesize(people=3, minutes=0.5)
    split = Split((first.person,), (second.person,), (third.person,))
    people = People(split, [first], [second], [third], fingerprint="")
    return Judging(target, people, Transitions())


def test_a_file_that_computes_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = candidate(5, 5.0, 1.0)
    finalist = Finalist(chosen, fake_net(chosen.arch), 4.0)
    run = RunDir(tmp_path)
    compare = parity.compare
    monkeypatch.setattr(
        parity, "compare", lambda *given: replace(compare(*given), tflite_rule_max_lsb=2)
    )
    with pytest.raises(ExportError) as caught:
        write_finalists([finalist], judging(), run=run, progress=silent)
    assert "LiteRT's rounding by 2 LSB on 12 windows; it must equal it" in str(caught.value)
    assert run.finalists() == []
    assert list(run.front.iterdir()) == []


def test_a_card_says_what_was_foretold(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    chosen = replace(candidate(5, 5.0, 1.0), mae_low_bpm=3.5, mae_high_bpm=7.5)
    one = Finalist(chosen, fake_net(chosen.arch), 4.0)
    write_finalists([one], judging(), run=run, progress=silent)
    assert run.card(1).search_mae_bpm == SearchErrors(
        foretold=5.0, foretold_low=3.5, foretold_high=7.5, retrained_int8=4.0
    )


def test_a_pruned_finalist_is_written_as_what_it_became(tmp_path: Path) -> None:
    run, chosen = RunDir(tmp_path), candidate(5, 5.0, 1.0)
    pruned = replace(chosen.arch, head_width=4)

    class Pruning(FakeTrainer):
        def retrain_many(self, archs, progress, on_done, *, enough=lambda: False):  # type: ignore[no-untyped-def]
            on_done(0, Retrained(fake_net(pruned), 4.0, pruned))

    trainer = Pruning(SearchSpace.preset("tiny"), folder=tmp_path)
    done = retrain_finalists([chosen], trainer, run, silent)
    found = ranked(done, run)
    assert [(f.candidate, f.arch) for f in found] == [(chosen, pruned)]
    write_finalists(found, judging(), run=run, progress=silent)
    card = run.card(1)
    assert card.arch == pruned and card.id == pruned.id
    made = run.finalist(1).stat().st_mtime_ns
    write_finalists(ranked(done, run), judging(), run=run, progress=silent)
    assert run.finalist(1).stat().st_mtime_ns == made


def test_complete_finalists_stay_and_surplus_ones_go(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    pair = (candidate(5, 5.0, 1.0), candidate(6, 6.0, 1.0))
    two = [Finalist(c, fake_net(c.arch), 4.0) for c in pair]
    write_finalists(two, judging(), run=run, progress=silent)
    times = [run.finalist(n).stat().st_mtime_ns for n in (1, 2)]
    write_finalists(two, judging(), run=run, progress=silent)
    assert [run.finalist(n).stat().st_mtime_ns for n in (1, 2)] == times
    other = [replace(two[1], search_mae_bpm=3.0)]
    write_finalists(other, judging(), run=run, progress=silent)
    assert run.finalists() == [1]
    assert run.card(1).id == two[1].candidate.arch.id


def test_any_number_of_threads_writes_the_same_in_order(tmp_path: Path) -> None:
    found = [Finalist(c, fake_net(c.arch), 4.0) for c in (candidate(n, 5.0, 1.0) for n in (5, 6))]
    written = []
    for threads in (1, 2):
        run, told = RunDir(tmp_path / str(threads)), Mock()
        write_finalists(found, judging("ppgnas-c"), run=run, progress=told, threads=threads)
        assert [call.args[:2] for call in told.call_args_list] == [(1, 2), (2, 2)]
        written.append(
            {
                p.relative_to(run.path): p.read_bytes()
                for p in run.front.rglob("*.*")
                if p.is_file()
            }
        )
    assert len(written[0]) > 10 and written[0] == written[1]


def test_a_network_without_c_stays_a_finalist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deploy.c import build

    def refuse(*_: object, **__: object) -> None:
        raise ExportError("layer 'stem': all weights of channel 3 are zero")

    monkeypatch.setattr(build, "model_files", refuse)
    chosen = candidate(5, 5.0, 1.0)
    run = RunDir(tmp_path)
    write_finalists(
        [Finalist(chosen, fake_net(chosen.arch), 4.0)],
        judging("ppgnas-c"),
        run=run,
        progress=silent,
    )
    assert run.card(1).c == NotInC("layer 'stem': all weights of channel 3 are zero")
    # What runs is then the TFLite file, and nothing is said of another.
    card = run.card(1)
    assert card.file == "model.tflite" and list(card.report_mae_bpm) == ["model.tflite"]
    assert card.tflite is not None
    assert card.search_mae_bpm.retrained_int8 == card.tflite.search.mae_bpm_tflite
    assert not (run.finalist(1) / "model.c").exists()
    assert (run.finalist(1) / "model.tflite").is_file()


def test_predictions_as_csv() -> None:
    windows = WindowSet(
        x=np.zeros((2, 1, 128), np.float32),
        hr_bpm=np.array([60.0, 61.0]),
        person=np.array([0, 1]),
        people=("a/1", "a/2, junior"),
        recording=np.array([0, 1]),
        recordings=("a/r1", "a/r2"),
        start_s=np.array([0.0, 2.0]),
        activity=np.array([0, -1]),
        activity_names=("rest",),
    )
    predictions = Predictions(
        windows,
        raw=Decoded(np.array([60.26, 70.0]), np.array([1.0, 2.0])),
        smoothed=Decoded(np.array([60.0, 65.0]), np.array([0.5, 1.5])),
    )
    head = (
        "person,recording,start_s,reference_bpm,bpm,bpm_smoothed,spread_bpm,spread_smoothed_bpm,"
        "expected_error_bpm,expected_error_smoothed_bpm,activity\n"
    )
    assert predictions_csv(predictions, Decoding()) == head + (
        "a/1,a/r1,0.000,60.00,60.26,60.00,1.00,0.50,,,rest\n"
        '"a/2, junior",a/r2,2.000,61.00,70.00,65.00,2.00,1.50,,,\n'
    )
    doubled = Confidence((0.0, 10.0), (0.0, 20.0))
    assert predictions_csv(predictions, Decoding(raw=doubled, smoothed=doubled)) == head + (
        "a/1,a/r1,0.000,60.00,60.26,60.00,1.00,0.50,2.00,1.00,rest\n"
        '"a/2, junior",a/r2,2.000,61.00,70.00,65.00,2.00,1.50,4.00,3.00,\n'
    )
