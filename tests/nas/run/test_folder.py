from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nas.run.folder import RunDir, choose, new_folder
from ppgnas.errors import RunError
from tests.nas.run.made import made_candidates, run_document

DOCUMENT = run_document()


def made(path: Path, *, finished: bool = False) -> RunDir:
    run = RunDir(path)
    run.write_document(DOCUMENT)
    if finished:
        run.finish()
    return run


def test_a_run_knows_its_state(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    assert (run.exists, run.finished, run.finalists()) == (False, False, [])
    run.write_document(DOCUMENT)
    assert (run.exists, run.finished) == (True, False)
    run.record_time("search", 1.25, core_s=2.0)
    run.record_time("search", 2.0, core_s=1.5)
    run.record_time("total", 4.0)
    run.finish()
    assert run.finished
    assert run.document().time_s == {"search": 3.25, "total": 4.0}
    assert run.document().core_s == {"search": 3.5}


def test_devices_are_kept_in_the_order_of_their_use(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.write_document(run_document())
    assert run.document().devices == ()  # as in a run of an older version
    for name in ("cpu", "NVIDIA H100", "cpu"):
        run.record_device(name)
    assert run.document() == run_document(devices=("cpu", "NVIDIA H100"))


def test_choose_refuses_what_is_there(tmp_path: Path) -> None:
    unfinished, finished = made(tmp_path / "a"), made(tmp_path / "b", finished=True)
    with pytest.raises(RunError) as caught:
        choose(unfinished.path, resume=False)
    assert str(caught.value) == (
        f"{unfinished.path} holds an unfinished run, which stays as it is; continue it with "
        f"`out` {unfinished.path} `resume`, or choose another `out`"
    )
    with pytest.raises(RunError, match="holds a finished run, which stays as it is; choose"):
        choose(finished.path, resume=False)
    assert choose(unfinished.path, resume=True).path == unfinished.path


def test_choose_refuses_foreign_files_and_nothing_to_resume(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(RunError, match="holds files that are no run"):
        choose(tmp_path / "photos", resume=False)
    with pytest.raises(RunError, match="is a file; name a folder"):
        choose(tmp_path / "photos" / "cat.jpg", resume=False)
    with pytest.raises(RunError, match=r"holds no run \(no run\.toml\)"):
        choose(tmp_path / "nowhere", resume=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".lock").touch()
    assert not choose(tmp_path / "empty", resume=False).exists


def test_the_default_folder_steps_over_finished_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert choose(None, resume=False).path == Path("results/run")
    made(Path("results/run"), finished=True)
    assert choose(None, resume=False).path == Path("results/run-2")
    assert choose(None, resume=True).path == Path("results/run")
    made(Path("results/run-2"))
    assert choose(None, resume=True).path == Path("results/run-2")
    with pytest.raises(RunError, match="results/run-2 holds an unfinished run"):
        choose(None, resume=False)


def test_candidates_that_are_not_there(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.write_document(run_document())
    with pytest.raises(RunError, match="the run is not complete; continue it with"):
        run.candidates()
    run.finish()
    with pytest.raises(RunError, match="was deleted or moved since; bring it back, or search"):
        run.candidates()


def test_only_one_process_writes(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    with run.lock(), pytest.raises(RunError, match="in use by another ppgnas"), run.lock():
        pass
    with run.lock():
        pass


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    whole = run.toml.read_bytes()
    for name in (".run.toml.ab12.part", "front/1/.card.json.x.part", "front/.2.part/card.json"):
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).write_text("half")
    (run.path / "front" / ".1.old").mkdir()
    with run.lock():
        left = {str(path.relative_to(run.path)) for path in run.path.rglob("*")}
    assert left == {".lock", "run.toml", "front", "front/1"}
    assert run.toml.read_bytes() == whole


def test_finalists_are_the_complete_ones(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for name in ("10", "2", ".3.part", "notes"):
        (run.front / name).mkdir(parents=True)
        (run.front / name / "card.json").write_text("{}")
    (run.front / "4").mkdir()
    assert run.finalists() == [2, 10]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "front" / "1"
    with new_folder(target) as folder:
        (folder / "a").write_text("old")
        assert not target.exists()
    with pytest.raises(KeyboardInterrupt), new_folder(target) as folder:
        (folder / "a").write_text("half")
        raise KeyboardInterrupt
    assert (target / "a").read_text() == "old"
    with new_folder(target) as folder:
        (folder / "b").write_text("new")
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in target.parent.iterdir()] == ["1"]


def test_a_full_disk_leaves_the_old_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path / "run")
    run.write_candidates(made_candidates())
    with new_folder(run.finalist(1)) as folder:
        (folder / "card.json").write_text('{"id": "old"}')
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        run.write_candidates(made_candidates())
    with pytest.raises(OSError, match="No space left"), new_folder(run.finalist(1)) as folder:
        (folder / "card.json").write_text('{"id": "new"}')
    with pytest.raises(OSError, match="No space left"):
        run.finish()
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_a_failed_rename_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "1"
    with new_folder(target) as folder:
        (folder / "a").write_text("old")
    rename = Path.rename

    def fail(self: Path, other: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(errno.EIO, "broken disk")
        return rename(self, other)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="broken disk"), new_folder(target):
        pass
    assert (target / "a").read_text() == "old"
