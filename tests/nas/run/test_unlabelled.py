"""A folder without references: who may be in it, and what a run tells of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.run.config import ConfigError, SearchConfig, TrainConfig
from nas.run.folder import RunDir
from nas.run.job.progress import Silent
from nas.run.people import gather, gather_for
from nas.run.resolve import resolve
from nas.run.unlabelled import UnlabelledFacts
from nas.search import search
from ppg.npz.folder import fingerprint, read_folder, write_recording
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import DataError, RunError
from search_spaces.space import load_space
from tests.nas.fakes import write_people


@pytest.fixture(scope="module")
def others() -> list[Recording]:
    """Three people who are in nobody's data; the last was measured without acceleration."""
    found = [replace(r, dataset="ward") for r in synthesize(people=3, minutes=0.5, seed=9)]
    keys = ("window_start_s", "hr_bpm", "valid", "activity")
    none: dict[str, Any] = {key: getattr(found[0], key)[:0] for key in keys}
    none["activity_names"] = ()
    return [replace(found[0], **none), found[1], replace(found[2], **none, acc=None, acc_hz=None)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("data"))


def _write(folder: Path, recordings: list[Recording]) -> Path:
    for recording in recordings:
        write_recording(folder / f"{recording.name}.npz", recording)
    return folder


def _config(data: Path, **given: Any) -> SearchConfig:
    options = {"budget": "80KB", "space": "tiny", "device": "cpu", "trials": 3, "finalists": 1}
    return resolve({**options, "data": str(data), **given})


def test_all_with_acceleration_are_used_and_said(
    data: Path, others: list[Recording], tmp_path: Path
) -> None:
    """A reference is not asked for, and one that is there changes nothing."""
    folder = _write(tmp_path / "ward", others)
    people = gather(_config(data, unlabelled=str(folder)), load_space("tiny"))
    assert people.unlabelled is not None
    assert [r.name for r in people.unlabelled.recordings] == [r.name for r in others[:2]]
    assert people.unlabelled.facts == UnlabelledFacts(
        source=str(folder),
        fingerprint=fingerprint(others[:2]),
        recordings=2,
        people=2,
        hours=0.02,
    )
    assert people.notes[-2:] == (
        f"{folder}: 1 recording without acceleration is left out.",
        f"The teacher alone labels 2 people, 0.0 h of {folder}.",
    )
    assert gather(_config(data), load_space("tiny")).fingerprint == people.fingerprint


def test_networks_of_ppg_alone_use_everybody(
    data: Path, others: list[Recording], tmp_path: Path
) -> None:
    folder = str(_write(tmp_path / "ward", others))
    config = TrainConfig(data=str(data), teacher="resnet-small", unlabelled=folder)
    people = gather_for(config, acceleration=False)
    assert people.unlabelled is not None and people.unlabelled.facts.people == 3
    alone = str(_write(tmp_path / "alone", others[2:]))
    with pytest.raises(DataError, match=r"`unlabelled` .*: no recording of it has acc"):
        gather_for(replace(config, unlabelled=alone), acceleration=True)


@pytest.mark.parametrize("part", ["search", "report"])
def test_a_judge_is_refused_under_any_name(
    data: Path, others: list[Recording], tmp_path: Path, part: str
) -> None:
    split = gather(_config(data), load_space("tiny")).split
    person = getattr(split, part)[0]
    (own,) = (r for r in read_folder(data) if r.person == person)
    copy = replace(own, subject="x", name="x", dataset="ward")
    folder = _write(tmp_path / "ward", [others[0], copy])
    with pytest.raises(DataError) as caught:
        gather(_config(data, unlabelled=str(folder)), load_space("tiny"))
    assert str(caught.value) == (
        f"`unlabelled` {folder} holds 1 search or report person(s): ward/x is {person} (the same "
        "PPG samples). Who judges may not teach: take these recordings out of the folder."
    )
    noted = _write(tmp_path / "noted", [replace(others[0], also_in=(own.subject,))])
    with pytest.raises(DataError, match=r"a note in also_in"):
        gather(_config(data, unlabelled=str(noted)), load_space("tiny"))


def test_training_people_may_teach_twice(data: Path, tmp_path: Path) -> None:
    split = gather(_config(data), load_space("tiny")).split
    own = [r for r in read_folder(data) if r.person in split.train]
    config = _config(data, unlabelled=str(_write(tmp_path / "same", own)))
    people = gather(config, load_space("tiny"))
    assert people.unlabelled is not None
    assert people.unlabelled.facts.people == len(split.train)


def test_nothing_to_learn_without_a_teacher() -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(unlabelled="ward", teacher="none")
    assert str(caught.value) == (
        "`unlabelled` ward needs a teacher, and `teacher` is none: without a reference its labels "
        "are all there is to learn from. Name one, such as `teacher` auto, or leave "
        "`unlabelled` out"
    )


def test_a_run_goes_on_with_them_alone(
    data: Path, others: list[Recording], tmp_path: Path
) -> None:
    folder = _write(tmp_path / "ward", others[:2])
    config = _config(data, unlabelled=str(folder))
    run = RunDir(tmp_path / "run")

    def stop(*_: object, unlabelled: list[Recording], **__: object) -> Any:
        assert fingerprint(unlabelled) == fingerprint(others[:2])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(config, run, command="", progress=Silent(), make_trainer=stop)
    facts = run.document().unlabelled
    assert facts is not None and facts.people == 2 and run.document().config == config
    write_recording(folder / f"{others[1].name}.npz", replace(others[1], dataset="clinic"))
    with pytest.raises(RunError, match="the recordings without a reference changed since"):
        search(config, run, command="", progress=Silent(), make_trainer=stop)
