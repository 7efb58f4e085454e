"""Protocols: who is tested when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ppg.people.protocols import DALIA_GROUPS, PROTOCOLS, Fold, options_of, protocol
from ppg.recording import Recording
from ppgnas.errors import DataError
from tests.ppg.readout.test_transitions import recording


def of(dataset: str, subject: str, name: str = "") -> Recording:
    made = recording(np.full(10, 70.0), subject=subject)
    return replace(made, dataset=dataset, name=name or f"{subject}_1")


def people(dataset: str, count: int) -> list[Recording]:
    return [of(dataset, f"S{number}") for number in range(1, count + 1)]


def who_is_tested(folds: list[Fold]) -> list[str]:
    return [person for fold in folds for person in fold.split.report]


def test_leave_one_out_tests_everybody_once() -> None:
    recordings = [*people("a", 5), of("a", "S1", "again")]
    folds = protocol("loso", tested=("a",)).folds(recordings, 0)
    assert who_is_tested(folds) == [f"a/S{n}" for n in range(1, 6)]
    assert [fold.name for fold in folds] == [f"a_S{n}" for n in range(1, 6)]
    for fold in folds:
        whole = {*fold.split.train, *fold.split.search, *fold.split.report}
        assert len(whole) == 5 and len(fold.split.search) == 1


def test_k_fold_tests_everybody_once_and_spreads_data_sets() -> None:
    recordings = [*people("a", 9), *people("b", 6)]
    folds = protocol("kfold", folds=3).folds(recordings, 4)
    assert sorted(who_is_tested(folds)) == sorted(r.person for r in recordings)
    for fold in folds:
        sets = [person[0] for person in fold.split.report]
        assert (sets.count("a"), sets.count("b")) == (3, 2)
    other = protocol("kfold", folds=3).folds(recordings, 5)
    assert [f.split.report for f in other] != [f.split.report for f in folds]
    with pytest.raises(DataError, match="15 people for 20 folds"):
        protocol("kfold", folds=20).folds(recordings, 0)


def test_the_groups_of_dalia() -> None:
    assert sorted(n for group in DALIA_GROUPS for n in group) == list(range(1, 16))
    folds = protocol("dalia-groups").folds(people("ppg_dalia", 15), 0)
    assert sorted(who_is_tested(folds)) == sorted(f"ppg_dalia/S{n}" for n in range(1, 16))
    seventh = next(fold for fold in folds if fold.split.report == ("ppg_dalia/S7",))
    assert set(seventh.split.search) == {f"ppg_dalia/S{n}" for n in (5, 3, 12)}
    assert len(seventh.split.train) == 11
    with pytest.raises(DataError, match="needed: 1 to 15"):
        protocol("dalia-groups").folds(people("ppg_dalia", 14), 0)


def test_bami_trains_on_the_first_and_tests_on_the_second() -> None:
    rules = protocol("bami1-bami2")
    recordings = rules.select([*people("bami1", 6), *people("bami2", 3), *people("other", 3)])
    (fold,) = rules.folds(recordings, 0)
    assert fold.split.report == tuple(f"bami2/S{n}" for n in (1, 2, 3))
    assert {p.split("/")[0] for p in (*fold.split.train, *fold.split.search)} == {"bami1"}


def test_spc_leaves_the_extra_recording_out() -> None:
    rules = protocol("spc-train-test")
    recordings = [
        of("ieee_spc2015", f"SPCtrain{n:02d}", f"DATA_{n:02d}_TYPE02") for n in (1, 2, 3)
    ]
    recordings += [
        of("ieee_spc2015", "SPCtest_S04", "DATA_S04_T01"),
        of("ieee_spc2015", "SPCtest_S04", "TEST_S04_T02"),
    ]
    kept = rules.select(recordings)
    assert [r.name for r in kept if "S04" in r.name] == ["TEST_S04_T02"]
    (fold,) = rules.folds(kept, 0)
    assert fold.split.report == ("ieee_spc2015/SPCtest_S04",)


def test_what_cannot_be_run_is_refused() -> None:
    with pytest.raises(DataError, match=f"allowed: {', '.join(PROTOCOLS)}"):
        protocol("holdout")
    with pytest.raises(DataError, match="has its own data set; leave out `tested` a"):
        protocol("bami1-bami2", tested=("a",))
    with pytest.raises(DataError, match="no recording of bami1 or bami2; the data hold a"):
        protocol("bami1-bami2").select(people("a", 3))
    with pytest.raises(DataError, match="1 person is left to train and validate"):
        protocol("loso").folds(people("a", 2), 0)
    with pytest.raises(DataError, match="0 folds"):
        protocol("kfold", folds=0)
    with pytest.raises(DataError, match=r"which recordings of welltory .* protocol transfer"):
        protocol("loso", tested=("a", "welltory"))


def test_people_whose_mapping_is_unknown_only_train() -> None:
    recordings = [*people("a", 4), *people("welltory", 3)]
    for name in ("loso", "kfold"):
        folds = protocol(name, folds=2).folds(recordings, 0)
        assert sorted(who_is_tested(folds)) == [f"a/S{n}" for n in range(1, 5)]
        for fold in folds:
            assert {f"welltory/S{n}" for n in range(1, 4)} <= set(fold.split.train)


def test_the_published_clock_takes_the_lag_back() -> None:
    shifted = replace(of("a", "x"), label_lag_s=1.5)
    plain = shifted.with_lag(0.0)
    np.testing.assert_array_equal(plain.window_start_s, shifted.window_start_s - 1.5)
    assert plain.label_lag_s == 0 and plain.with_lag(0.0).label_lag_s == 0


def test_folds_of_one_data_set_train_on_others_too() -> None:
    recordings = [*people("a", 6), *people("b", 4)]
    folds = protocol("kfold", tested=("a",), folds=3, train=("b",)).folds(recordings, 1)
    assert sorted(who_is_tested(folds)) == [f"a/S{n}" for n in range(1, 7)]
    for fold in folds:
        assert {f"b/S{n}" for n in range(1, 5)} <= {*fold.split.train, *fold.split.search}
        assert not set(fold.split.report) & {*fold.split.train, *fold.split.search}
    alone = protocol("loso", tested=("a",), train=("b",))
    assert len(alone.folds(recordings, 0)) == 6
    assert alone.name == "loso-a-with-b"


def test_folds_of_two_data_sets_test_people_of_both() -> None:
    recordings = [*people("a", 6), *people("b", 4), *people("c", 3)]
    two = protocol("kfold", tested=("a", "b"), folds=2, train=("c",))
    folds = two.folds(recordings, 0)
    assert two.name == "kfold2-a+b-with-c"
    assert len(who_is_tested(folds)) == 10
    for fold in folds:
        assert [sum(p.startswith(name) for p in fold.split.report) for name in "abc"] == [3, 2, 0]
    with pytest.raises(DataError, match="no recording of d; the data hold a, b, c"):
        protocol("kfold", tested=("a", "d")).select(recordings)


def test_a_name_says_how_it_is_made() -> None:
    for made in (
        protocol("loso"),
        protocol("kfold", tested=("a",), folds=3),
        protocol("kfold", tested=("a-1", "b"), train=("c", "d")),
        protocol("transfer", tested=("b",), train=("a", "c")),
        protocol("bami1-bami2"),
    ):
        way, *words = options_of(made.name)
        options = dict(zip(words[::2], words[1::2], strict=True))
        tested, train = (
            tuple(name for name in options.pop(option, "").split(",") if name)
            for option in ("--dataset", "--train-dataset")
        )
        folds = int(options.pop("--folds", 5))
        again = protocol(way, tested=tested, folds=folds, train=train)
        assert (again.name, again.dataset, options) == (made.name, made.dataset, {})


def test_transfer_tests_a_sensor_that_was_never_seen() -> None:
    recordings = [*people("a", 6), *people("b", 4)]
    (fold,) = protocol("transfer", tested=("b",), train=("a",)).folds(recordings, 1)
    assert fold.split.report == tuple(f"b/S{n}" for n in range(1, 5))
    assert all(person.startswith("a/") for person in (*fold.split.train, *fold.split.search))
    for tested, train in ((("b",), ()), ((), ("a",)), (("a",), ("a",))):
        with pytest.raises(DataError, match="`train`"):
            protocol("transfer", tested=tested, train=train)
    with pytest.raises(DataError, match="leave out `train`"):
        protocol("dalia-groups", tested=("x",), train=("a",))
