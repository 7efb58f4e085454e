"""Files and folders that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppgnas.files import cache_folder, content_of, text_of
from tests.nas.cli.leaving import leave


def test_a_cache_is_emptied_when_it_was_made_for_something_else(tmp_path: Path) -> None:
    folder = cache_folder(tmp_path / "cache", {"seed": 0, "data": ("a", "b")})
    (folder / "pool").mkdir()
    cache_folder(folder, {"seed": 0, "data": ("a", "b")})
    assert (folder / "pool").exists()
    cache_folder(folder, {"seed": 1, "data": ("a", "b")})
    assert not (folder / "pool").exists()
    (folder / "made_for.json").write_text("{")
    (folder / "pool").mkdir()
    cache_folder(folder, {"seed": 1, "data": ("a", "b")})
    assert [path.name for path in folder.iterdir()] == ["made_for.json"]


def test_the_text_of_a_document_has_one_kind_of_line_end(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes("ä = 1\r\nb = 2\rc = 3\n".encode())
    assert text_of(tmp_path / "a.toml") == "ä = 1\nb = 2\nc = 3\n"


@pytest.mark.parametrize("name", ["board.toml", "arch.json", "model.tflite", "run.toml"])
def test_no_document_is_read_beyond_what_one_can_hold(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ppgnas.files.LARGEST_BYTES", 1 << 20)
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(10 << 30)  # takes no room on the disk
    verbs = {
        "board.toml": ["boards", "check", str(path)],
        "run.toml": ["report", str(tmp_path)],
    }
    assert leave(*verbs.get(name, ["score", str(path)])) in (1, 2)
    told = capsys.readouterr().err
    assert "it has more than 1 MB" in told and str(path) in told


def test_a_device_without_end_is_no_document() -> None:
    with pytest.raises(OSError, match="it has more than 256 MB: '/dev/zero'"):
        content_of(Path("/dev/zero"))
