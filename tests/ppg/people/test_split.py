"""Splits of people: drawn, given, disjoint."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppg.npz.folder import read_folder
from ppg.people.split import PARTS, Split, draw_split, read_split, split_before_report
from ppg.recording import Recording
from tests.ppg.npz.npz_files import message


def _recording(dataset: str, subject: str, *, name: str = "", valid: bool = True) -> Recording:
    return Recording(
        subject=subject,
        dataset=dataset,
        name=name or subject,
        ppg=np.zeros((80, 1), dtype=np.float32),
        ppg_hz=10.0,
        acc=None,
        acc_hz=None,
        window_start_s=np.array([0.0]),
        hr_bpm=np.array([60.0]),
        valid=np.array([valid]),
        activity=np.array([-1]),
    )


def _people(**counts: int) -> list[Recording]:
    return [_recording(name, f"P{i:02d}") for name, n in counts.items() for i in range(n)]


def _sets(people: tuple[str, ...]) -> Counter[str]:
    return Counter(person.split("/")[0] for person in people)


def test_parts_are_in_proportion_per_data_set() -> None:
    split = draw_split(_people(a=20, b=40), seed=3)
    # report: 20 % of 60 = 12; search: 15 % of the remaining 48 = 7 (7.2)
    assert _sets(split.report) == {"a": 4, "b": 8}
    assert _sets(split.search) == {"a": 2, "b": 5}
    assert len(split.train) == 41


def test_draw_repeats_by_seed_whatever_the_order() -> None:
    recordings = _people(a=12, b=9)
    first = draw_split(recordings, seed=5)
    assert draw_split(recordings[::-1], seed=5) == first
    assert len({draw_split(recordings, seed=seed) for seed in range(20)}) > 15


def test_everybody_is_drawn_by_some_seed() -> None:
    recordings = _people(a=10)
    seen = {p for seed in range(60) for p in draw_split(recordings, seed=seed).report}
    assert seen == {r.person for r in recordings}


def test_a_single_person_of_a_data_set_is_not_always_in_train() -> None:
    recordings = _people(a=3, b=3, c=3)
    homes = {next(iter(_sets(draw_split(recordings, seed=s).search))) for s in range(40)}
    assert homes == {"a", "b", "c"}  # equal claims are settled by the seed


def test_report_from_one_data_set() -> None:
    split = draw_split(_people(bami1=25, bami2=15, spc=20), seed=0, report_from="bami2")
    assert _sets(split.report) == {"bami2": 6}  # 40 % of 15
    assert _sets(split.search) == {"bami1": 4, "bami2": 1, "spc": 3}  # 15 % of 54 = 8
    assert _sets(split.train)["bami2"] == 8


def test_report_from_a_single_person() -> None:
    split = draw_split(_people(a=1, b=2), seed=0, report_from="a")
    assert split.report == ("a/P00",)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_people_says_how_many_are_needed(count: int) -> None:
    text = message(lambda: draw_split(_people(a=count), seed=0))
    who = "1 person" if count == 1 else f"{count} people"
    assert f"{who} with usable windows; at least 3 are needed" in text


def test_three_people_are_enough() -> None:
    split = draw_split(_people(a=3), seed=0)
    assert [len(getattr(split, part)) for part in PARTS] == [1, 1, 1]


def test_people_without_a_usable_window_are_left_out() -> None:
    recordings = [*_people(a=3), _recording("a", "broken", valid=False)]
    split = draw_split(recordings, seed=1)
    assert "a/broken" not in split.train + split.search + split.report
    assert "2 people" in message(lambda: draw_split(recordings[1:], seed=1))


def test_two_recordings_of_one_person_stay_together() -> None:
    recordings = [*_people(a=4), _recording("a", "P00", name="again")]
    split = draw_split(recordings, seed=0)
    part = next(part for part in PARTS if "a/P00" in getattr(split, part))
    assert sorted(r.name for r in split.select(recordings, part) if r.subject == "P00") == [
        "P00",
        "again",
    ]


def test_people_of_unknown_mapping_stay_on_one_side() -> None:
    recordings = _people(welltory=21, a=10)
    for seed in range(5):
        assert _sets(draw_split(recordings, seed=seed).train)["welltory"] == 21
    reported = draw_split(recordings, seed=0, report_from="welltory")
    assert _sets(reported.report) == {"welltory": 21}
    assert _sets(reported.train)["welltory"] == 0
    text = message(lambda: Split(("a/1", "welltory/1"), ("a/2",), ("welltory/2",)))
    assert "welltory is in report and train" in text and "Keep all of it in one part" in text
    assert "2 people" in message(lambda: draw_split(_people(welltory=9, a=2), seed=0))


def test_bad_arguments() -> None:
    people = _people(a=9)
    text = message(lambda: draw_split(people, seed=0, report_from="bami9"))
    assert "no labelled person in data set 'bami9'; allowed: a" in text
    assert "seed is -1" in message(lambda: draw_split(people, seed=-1))


@settings(max_examples=60)
@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    home=st.none() | st.integers(0, 3),
)
def test_any_draw_covers_everybody_once(counts: list[int], seed: int, home: int | None) -> None:
    names = {f"set{i}": n for i, n in enumerate(counts)}
    recordings = _people(**names)
    report_from = None if home is None or home >= len(counts) else f"set{home}"
    if sum(counts) < 3:
        assert "at least 3" in message(lambda: draw_split(recordings, seed=seed))
        return
    split = draw_split(
        recordings,
        seed=seed,
        report_from=report_from,
    )
    everybody = split.train + split.search + split.report
    assert sorted(everybody) == sorted(r.person for r in recordings)
    assert min(len(getattr(split, part)) for part in PARTS) >= 1
    if report_from is not None:
        assert set(_sets(split.report)) == {report_from}
    else:
        size = sum(counts)
        for name, n in _sets(split.report).items():  # within one of the exact share
            assert abs(n - len(split.report) * names[name] / size) < 1


def test_split_asserts_that_nobody_is_in_two_parts() -> None:
    text = message(lambda: Split(("a/1",), ("a/2",), ("a/1",)))
    assert "'a/1' is in both train and report" in text
    assert "'a/1' is in train twice" in message(lambda: Split(("a/1", "a/1"), ("b",), ("c",)))
    assert "nobody is in search" in message(lambda: Split(("a/1",), (), ("a/2",)))


def test_select() -> None:
    recordings = _people(a=3)
    split = Split(("a/P00",), ("a/P02",), ("a/P01",))
    assert [r.subject for r in split.select(recordings, "search")] == ["P02"]
    assert "no part 'test'; allowed: train, search, report" in message(
        lambda: split.select(recordings, "test")  # type: ignore[arg-type]
    )
    text = message(lambda: split.select(recordings[:2], "search"))
    assert "no recording of a/P02, who are in search" in text


def test_report_people_from_another_folder() -> None:
    split = split_before_report(_people(a=20), _people(b=3), seed=1)
    assert _sets(split.report) == {"b": 3}
    assert (len(split.search), len(split.train)) == (3, 17)
    text = message(lambda: split_before_report(_people(a=20), _people(a=1), seed=1))
    assert "'a/P00' is in both" in text
    text = message(lambda: split_before_report(_people(a=1), _people(b=1), seed=1))
    assert "1 person is left to train and search; at least 2" in text


def _write(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "split.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_file_round_trip_leaves_others_out(tmp_path: Path) -> None:
    split = Split(("a/P00", "a/P03"), ("a/P01",), ("a/P02",))
    path = _write(tmp_path, split.to_json())
    assert read_split(path) == split
    assert read_split(path, _people(a=9)) == split


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"train": ["a/P00"], "report": ["a/P01"]}, "holds train, report; allowed: exactly"),
        ({"train": [], "search": ["a/P00"], "report": ["a/P01"]}, "nobody is in train"),
        (
            {"train": ["a/P00"], "search": ["a/P00"], "report": ["a/P01"]},
            "'a/P00' is in both train and search",
        ),
        (
            {"train": ["a/P00"], "search": ["a/P02"], "report": ["a/P01"], "test": []},
            "holds train, search, report, test",
        ),
        (
            {"train": ["a/P00"], "search": ["b/X"], "report": ["a/P01"]},
            "unknown people b/X; the data hold a/P00, a/P01, a/P02",
        ),
        ({"train": "a/P00", "search": ["a/P02"], "report": ["a/P01"]}, "train is 'a/P00'"),
        ({"train": [3], "search": ["a/P02"], "report": ["a/P01"]}, "train is [3]"),
        ([1, 2], "holds no object"),
        ("{", "cannot be read"),
    ],
)
def test_bad_files(tmp_path: Path, document: Any, expected: str) -> None:
    path = _write(tmp_path, document)
    text = message(lambda: read_split(path, _people(a=3)))
    assert text.startswith(str(path)) and expected in text


def test_missing_file(tmp_path: Path) -> None:
    text = message(lambda: read_split(tmp_path / "none.json"))
    assert "none.json: the split cannot be read: No such file or directory. It" in text


def test_real_people() -> None:
    default = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
    folder = Path(os.environ.get("PPGNAS_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip("no real recordings: set PPGNAS_TEST_DATA to a folder of .npz recordings")
    recordings = read_folder(folder)
    if not {"bami1", "bami2", "welltory"} <= {r.dataset for r in recordings}:
        pytest.skip("the folder does not hold bami1, bami2 and welltory")
    split = draw_split(recordings, seed=0, report_from="bami2")
    assert _sets(split.report) == {"bami2": 6}
    assert _sets(split.train)["welltory"] == 21
    parts = [split.select(recordings, part) for part in PARTS]
    assert sum(map(len, parts)) == len(recordings)
