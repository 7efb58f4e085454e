"""Files and folders that are whole or not there."""

from __future__ import annotations

from pathlib import Path

from ppgnas.files import cache_folder


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
