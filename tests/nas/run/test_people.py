"""Who is used for what: nobody on both sides, and what is said where acceleration is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.run.config import SearchConfig
from nas.run.people import fitting_space, gather, gather_for, read_source
from nas.run.resolve import resolve
from ppg.npz.folder import write_recording
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import DataError
from search_spaces.space import load_space
from tests.ppg.loaders import upstream


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    return synthesize(people=8, minutes=1.0, seed=4)


def _write(folder: Path, recordings: list[Recording], dataset: str, **changes: Any) -> Path:
    for recording in recordings:
        changed = replace(recording, dataset=dataset, **changes)
        write_recording(folder / dataset / f"{recording.name}.npz", changed)
    return folder


LABELS = ("window_start_s", "hr_bpm", "valid", "activity")


def _config(data: Path, **given: Any) -> SearchConfig:
    return resolve({"budget": "80KB", "data": str(data), **given})


def test_people_without_a_reference_are_left_out(
    recordings: list[Recording], tmp_path: Path
) -> None:
    """Unlabelled recordings among labelled ones change nothing but a line that says so."""
    data = _write(tmp_path / "a", recordings[:5], "home")
    alone = gather(_config(data), load_space("default"))
    empty: dict[str, Any] = {key: getattr(recordings[0], key)[:0] for key in LABELS}
    _write(tmp_path / "a", recordings[5:], "ward", **empty)
    people = gather(_config(data), load_space("default"))
    assert (people.split, people.fingerprint) == (alone.split, alone.fingerprint)
    (note,) = people.notes
    assert note.startswith(f"{data}: 3 of 8 recordings have no usable reference heart rate")
    assert len(read_source(str(data), seed=0)) == 8
    with pytest.raises(DataError, match="no recording of it has a usable reference"):
        gather(_config(tmp_path / "a" / "ward"), load_space("default"))


def test_a_search_says_that_a_reference_froze(tmp_path: Path) -> None:
    people = synthesize(people=8, minutes=2.0, seed=4)
    data = _write(tmp_path / "a", people[:6], "home", synthetic=False)
    assert gather(_config(data), load_space("default")).notes == ()
    for one in people[6:]:
        froze = np.full(len(one.hr_bpm), one.hr_bpm.max() + 20)
        _write(tmp_path / "a", [one], "home", synthetic=False, hr_bpm=froze)
    (note,) = gather(_config(data), load_space("default")).notes
    assert note.startswith("2 of 8 recordings have a reference that looks wrong")


def test_default_data_have_people_enough_to_search_and_to_report_on() -> None:
    people = gather(resolve({"budget": "80KB"}), load_space("default"))
    split = people.split
    assert people.synthetic
    assert len(split.train) >= 24 and len(split.search) >= 8 and len(split.report) >= 8
    assert {r.person for r in people.report}.isdisjoint(r.person for r in people.train)
    windows = sum(int(r.usable.sum()) for r in (*people.search, *people.report))
    assert windows < 2000  # the integer reference reads them all, for every finalist


BARE: dict[str, Any] = {"acc": None, "acc_hz": None}


def test_one_person_in_both_folders_under_two_names(
    recordings: list[Recording], tmp_path: Path
) -> None:
    data = _write(tmp_path / "a", recordings[:5], "home")
    twin = replace(recordings[2], subject="somebody", name="else")
    report = _write(tmp_path / "b", [*recordings[5:], twin], "clinic")
    with pytest.raises(DataError) as caught:
        gather(_config(data, report_data=str(report)), load_space("default"))
    message = str(caught.value)
    assert f"`data` {data} and `report_data` {report} share 1 person(s)" in message
    assert f"home/{recordings[2].name} and clinic/else (the same PPG samples)" in message
    assert "Nobody may train and be reported on" in message


def test_other_samples_but_the_same_labels(recordings: list[Recording], tmp_path: Path) -> None:
    data = _write(tmp_path / "a", recordings[:5], "home")
    noise = np.random.default_rng(0).normal(0, 0.01, recordings[0].ppg.shape)
    twin = replace(
        recordings[0], ppg=(recordings[0].ppg + noise).astype(np.float32), subject="x", name="y"
    )
    report = _write(tmp_path / "b", [*recordings[5:], twin], "clinic")
    with pytest.raises(DataError, match="the same reference heart rates"):
        gather(_config(data, report_data=str(report)), load_space("default"))


@pytest.mark.parametrize("noted", ["data", "report"])
def test_a_note_names_the_person_in_the_other_folder(
    noted: str, recordings: list[Recording], tmp_path: Path
) -> None:
    first, last = recordings[:5], recordings[5:]
    if noted == "data":
        first = [replace(first[0], also_in=("CR_05",)), *first[1:]]
        last = [replace(last[0], subject="CR_05"), *last[1:]]
    else:
        first = [replace(first[0], subject="BAMI1_06"), *first[1:]]
        last = [replace(last[0], also_in=("BAMI1_06",)), *last[1:]]
    data, report = _write(tmp_path / "a", first, "home"), _write(tmp_path / "b", last, "clinic")
    with pytest.raises(DataError, match=r"share 1 person\(s\).*a note in also_in"):
        gather(_config(data, report_data=str(report)), load_space("default"))


def test_the_same_subject_name_elsewhere_is_somebody_else(
    recordings: list[Recording], tmp_path: Path
) -> None:
    data = _write(tmp_path / "a", recordings[:5], "home")
    report = _write(tmp_path / "b", [replace(recordings[6], subject="p00")], "clinic")
    people = gather(_config(data, report_data=str(report)), load_space("default"))
    assert people.split.report == ("clinic/p00",) and people.notes == ()


def test_report_people_without_acceleration_decide_and_it_is_said(
    recordings: list[Recording], tmp_path: Path
) -> None:
    data = _write(tmp_path / "a", recordings[:5], "home")
    report = _write(tmp_path / "b", recordings[5:], "clinic", **BARE)
    people = gather(_config(data, report_data=str(report)), load_space("default"))
    (note,) = people.notes
    assert f"3 of 3 recordings of the report people (all of {report})" in note
    assert "only networks that read PPG alone" in note
    assert len(people.train) == 4 and len(people.report) == 3
    assert fitting_space(load_space("default"), people).acceleration == (False,)


def test_the_few_report_recordings_without_are_left_out(
    recordings: list[Recording], tmp_path: Path
) -> None:
    data = _write(tmp_path / "a", recordings[:5], "home")
    report = _write(tmp_path / "b", recordings[6:], "clinic")
    _write(report, [replace(recordings[5], **BARE)], "ward")
    people = gather(_config(data, report_data=str(report)), load_space("default"))
    assert not any(r.dataset == "ward" for r in people.recordings)
    assert "1 recording without acceleration is left out" in people.notes[0]
    assert fitting_space(load_space("default"), people) == load_space("default")


def test_report_from_a_set_without_acceleration(
    recordings: list[Recording], tmp_path: Path
) -> None:
    data = _write(tmp_path / "a", recordings[:5], "watch")
    _write(data, recordings[5:], "finger", **BARE)
    people = gather(_config(data, report_from="finger"), load_space("default"))
    assert {person.split("/")[0] for person in people.split.report} == {"finger"}
    assert "3 of 3 recordings of the report people (data set finger)" in people.notes[0]
    assert len(people.recordings) == len(recordings)
    with pytest.raises(DataError, match="no labelled person in data set 'ring'; allowed: watch"):
        gather(_config(data, report_from="ring"), load_space("default"))


TAUGHT = {"student_inputs": "ppg", "teacher_inputs": "ppg+acc"}


@pytest.mark.parametrize("report", ["data", "from"])
def test_a_teacher_sees_acceleration_that_report_people_lack(
    report: str, recordings: list[Recording], tmp_path: Path
) -> None:
    data = _write(tmp_path / "a", recordings[:5], "watch")
    finger = tmp_path / "b" if report == "data" else data
    _write(finger, recordings[5:], "finger", **BARE)
    asked = {"report_data": str(finger)} if report == "data" else {"report_from": "finger"}
    for config in (
        _config(data, **asked, **TAUGHT),
        _config(data, **asked, teacher_inputs="ppg+acc"),
    ):
        people = gather(config, load_space("default"))
        assert {r.dataset for r in people.report} == {"finger"}
        assert all(r.acc is not None for r in (*people.train, *people.search))
        parts = (people.train, people.search, people.report)
        assert [{r.person for r in part} for part in parts] == [
            set(part) for part in people.split.to_json().values()
        ]
        assert fitting_space(load_space("default"), people).acceleration == (False,)
    assert "the acceleration of all others is for the teacher." in people.notes[0]
    lost = len(recordings) - len(people.recordings)
    assert lost == (0 if report == "data" else 2)
    assert not lost or people.notes[-1] == "2 recordings without acceleration are left out."


def test_nothing_to_show_a_teacher_that_reads_acceleration(
    recordings: list[Recording], tmp_path: Path
) -> None:
    bare = _write(tmp_path / "a", recordings[:5], "finger", **BARE)
    config = _config(bare, **TAUGHT)
    with pytest.raises(DataError, match=r"no recording of it has acceleration, and the t"):
        gather_for(config, acceleration=False)
    with pytest.raises(
        DataError, match=r"no recording of it has acceleration, and the network reads it"
    ):
        gather_for(config, acceleration=True)
    watch = _write(tmp_path / "b", recordings[5:], "watch")
    config = _config(watch, report_data=str(bare), **TAUGHT)
    with pytest.raises(DataError, match=r"^`report_data` .*: no recording of it has accel"):
        gather_for(config, acceleration=True)
    config = _config(bare, **TAUGHT)
    _write(bare, recordings[5:], "watch")
    people = gather_for(config, acceleration=False)
    assert {r.dataset for r in people.recordings} == {"watch"}
    names = [f"finger/{r.subject}" for r in recordings[:2]], [f"watch/{recordings[5].subject}"]
    split = tmp_path / "split.json"
    split.write_text(
        json.dumps(
            {"train": names[1], "search": names[0], "report": [f"watch/{recordings[6].subject}"]}
        )
    )
    with pytest.raises(DataError, match=r"nobody in search has acceleration, and the teacher"):
        gather_for(replace(config, split=str(split)), acceleration=False)


def test_upstream_folders_are_sources(tmp_path: Path) -> None:
    folder = upstream.write_dalia(tmp_path, 1, 2, 3)
    assert [r.person for r in read_source(str(folder), seed=0)] == [
        "ppg_dalia/S1",
        "ppg_dalia/S2",
        "ppg_dalia/S3",
    ]
    people = gather(_config(folder), load_space("default"))
    assert len(people.split.report) == 1 and len(people.recordings) == 3


def test_a_person_of_a_converted_and_an_upstream_folder(tmp_path: Path) -> None:
    folder = upstream.write_dalia(tmp_path / "a", 1, 2, 3)
    (first, *_) = read_source(str(folder), seed=0)
    renamed = replace(first, dataset="mine", subject="anna", name="anna")
    write_recording(tmp_path / "b" / "anna.npz", renamed)
    config = _config(folder, report_data=str(tmp_path / "b"))
    with pytest.raises(DataError, match="ppg_dalia/S1 and mine/anna"):
        gather(config, load_space("default"))


def test_files_that_are_not_read_are_said(recordings: list[Recording], tmp_path: Path) -> None:
    data = _write(upstream.write_bami(tmp_path / "data"), recordings, "home")
    asked = gather(_config(data), load_space("default"))
    assert {recording.dataset for recording in asked.recordings} == {"home"}
    assert "files of BAMI-1 and BAMI-2 (" in asked.notes[0] and "are not;" in asked.notes[0]
