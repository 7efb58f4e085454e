"""What TensorBoard shows is what the files of a run hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.training.metrics import note_search
from nas.run.job.progress import Silent
from nas.tensorboard import Events, check_tensorboard
from ppgnas.errors import DependencyError

pytest.importorskip("tensorboard", reason="needs the extra log")
HEAD = "step,seconds,loss,learning_rate\n"


def shown(folder: Path, tag: str = "loss") -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    terms = {"terms/soft"} if folder.stem.startswith("first-rung") else set()
    names = {"loss", "learning rate", *terms} if tag == "loss" else {tag}
    assert set(events.Tags()["scalars"]) == names
    return [(each.step, round(each.value, 3)) for each in events.Scalars(tag)]


def test_new_rows_are_shown_at_the_end_of_a_phase_and_once(tmp_path: Path) -> None:
    metrics, out = tmp_path / "metrics", tmp_path / "events"
    metrics.mkdir()
    teacher, rung = metrics / "teacher.csv", metrics / "first-rung-a.csv"
    events = Events(Silent(), metrics, out)
    teacher.write_text(f"{HEAD}10,1.0,5.5,0.01\n")
    with events.phase("teacher") as tick:
        tick(10, 30, "")
    assert shown(out / "teacher") == [(10, 5.5)]
    with teacher.open("a") as file:
        file.write("20,2.0,4.5,0.01\n30,3.0,3.5,0.0\n4")  # and half a row
    rung.write_text(f"{HEAD.strip()},soft\n10,1.0,2.5,0.01,0.5\n")
    note_search(metrics / "network-b", 7, arithmetic="float", mae_bpm=2.25)
    with pytest.raises(KeyboardInterrupt), events.phase("first rungs"):
        raise KeyboardInterrupt
    assert shown(out / "teacher") == [(10, 5.5), (20, 4.5), (30, 3.5)]
    assert shown(out / "first-rung-a") == [(10, 2.5)]
    assert shown(out / "network-b", "MAE of search people, float (BPM)") == [(7, 2.25)]
    with Events(Silent(), metrics, out).phase("goes on"):  # from the files alone
        pass
    assert shown(out / "teacher") == [(10, 5.5), (20, 4.5), (30, 3.5)]


def test_without_tensorboard_there_is_a_line_that_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    check_tensorboard()
    monkeypatch.setattr("nas.tensorboard.find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"`log` tensorboard needs it: .*pip install"):
        check_tensorboard()
