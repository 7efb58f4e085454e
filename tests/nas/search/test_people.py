"""Recordings and people that change, or stand under two names."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from nas.models.evaluate import evaluate
from nas.models.names import find_model
from nas.run.folder import RunDir
from nas.run.job.progress import Silent
from nas.run.people import gather
from nas.search import search
from ppg.npz.folder import read_folder
from ppg.people.split import PARTS
from ppgnas.errors import (
    DataError,
    RunError,
)
from search_spaces.space import load_space
from tests.nas.fakes import write_one_person_twice, write_people
from tests.nas.search.runs import config_for, go


def test_changed_recordings_are_noticed(people: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(people, data)
    run = tmp_path / "run"

    class StopError(Exception):
        pass

    def stop(*_: object, **__: object) -> Any:
        raise StopError

    with pytest.raises(StopError):
        search(config_for(data), RunDir(run), command="", progress=Silent(), make_trainer=stop)
    write_people(data, people=7)
    with pytest.raises(RunError, match=r"the recordings changed since .* was started"):
        go(config_for(data), run)


def test_a_changed_split_is_noticed(people: Path, tmp_path: Path) -> None:
    names = sorted({recording.person for recording in read_folder(people)})
    file = tmp_path / "split.json"
    file.write_text(json.dumps({"train": names[:2], "search": names[2:3], "report": names[3:]}))
    run = tmp_path / "run"

    def stop(*_: object, **__: object) -> Any:
        raise KeyboardInterrupt

    config = config_for(people, split=str(file))
    with pytest.raises(KeyboardInterrupt):
        search(config, RunDir(run), command="", progress=Silent(), make_trainer=stop)
    file.write_text(json.dumps({"train": names[3:], "search": names[2:3], "report": names[:2]}))
    with pytest.raises(RunError, match="the split of people is not the one"):
        go(config, run)


@pytest.mark.parametrize("seed", range(4))
def test_one_person_under_two_names_is_on_one_side(tmp_path: Path, seed: int) -> None:
    name, other = write_one_person_twice(tmp_path / "data")
    config = config_for(tmp_path / "data", seed=seed, trials=3, finalists=1)
    people = gather(config, load_space("tiny"))
    assert people.one_person == {name: (other,)}
    (note,) = (note for note in people.notes if name in note)
    assert note == (
        f"{name} and {other} are one person (s3p04-first and zz-s3p04 have the same PPG samples "
        f"for 4 s or more): they count as {name} and stay in one part."
    )
    split = people.split
    assert other not in (*split.train, *split.search, *split.report)
    (part,) = (part for part in PARTS if name in getattr(split, part))
    assert {"s3p04-first", "zz-s3p04"} <= {r.name for r in split.select(people.recordings, part)}


def test_a_run_says_who_is_one_person(tmp_path: Path) -> None:
    name, other = write_one_person_twice(tmp_path / "data")
    run = go(config_for(tmp_path / "data", trials=3, finalists=1), tmp_path / "run", page=True)
    assert run.document().one_person == {name: (other,)}
    page = run.report.read_text(encoding="utf-8")
    assert "No person is in two parts, by names, PPG samples, heart rates and notes." in page
    assert f"{name} is also called {other}." in re.sub("<[^>]*>", "", page)
    # Whichever name comes along later, the role is known.
    model = find_model(f"{run.path}:1")
    both = [r for r in read_folder(tmp_path / "data") if r.person in (name, other)]
    (role,) = {p.role for p in evaluate(model, both).people.values()}
    assert role in PARTS
    for half in both:
        found = evaluate(model, [half])
        assert found.people[half.person].role == role and found.one_person == {}
    merged = evaluate(model, both)
    assert list(merged.people) == [name] and merged.one_person == {name: (other,)}
    assert f"{name} and {other} are one person by their recordings" in " ".join(merged.notes)


def test_a_split_file_with_one_person_on_two_sides(tmp_path: Path) -> None:
    name, other = write_one_person_twice(tmp_path / "data")
    file = tmp_path / "split.json"
    nowhere = config_for(tmp_path / "no data", split=str(file))
    with pytest.raises(DataError, match=r"split\.json: the split cannot be read"):  # asked first
        gather(nowhere, load_space("tiny"))
    three = [f"synthetic/s3p0{n}" for n in range(3)]
    sides = {"train": [name, three[0]], "search": [three[1]], "report": [three[2], other]}
    file.write_text(json.dumps(sides))
    with pytest.raises(DataError) as caught:
        go(config_for(tmp_path / "data", split=str(file)), tmp_path / "run")
    assert str(caught.value).startswith(f"{file}: split: {name!r} is in train and {other!r} in ")
    assert "in report, and their recordings show that they are one person" in str(caught.value)
    sides = {"train": [other, name], "search": [three[1]], "report": [three[2]]}
    file.write_text(json.dumps(sides))
    people = gather(config_for(tmp_path / "data", split=str(file)), load_space("tiny"))
    assert people.split.train == (name,) and len(people.train) == 2
