"""Archives that are not trusted."""

from __future__ import annotations

import io
import shutil
import stat
import zipfile
from pathlib import Path

import pytest

from ppg.loaders.archive import unpack
from ppgnas.errors import DataError


def _zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        for name, data in members:
            content.writestr(name, data)
    return path


def _message(path: Path, out: Path, members: str = ".*", inner: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        unpack(path, out, members=members, inner=inner)
    return str(caught.value)


def test_only_what_is_needed(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", ("S/a.pkl", b"1"), ("S/b.h5", b"2"), ("S/", b""))
    files = unpack(path, tmp_path / "out", members=r"S/.*\.pkl")
    assert files == [tmp_path / "out" / "S" / "a.pkl"] and files[0].read_bytes() == b"1"
    assert not (tmp_path / "out" / "S" / "b.h5").exists()


@pytest.mark.parametrize(
    "name", ["../x.pkl", "a/../../x.pkl", "/tmp/x.pkl", "C:\\x.pkl", "..\\x.pkl", "\\x.pkl"]
)
@pytest.mark.parametrize("nested", [False, True])
def test_paths_that_climb_out(name: str, nested: bool, tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as content:
        content.writestr("S/fine.pkl", b"1")
        content.writestr(name, b"2")
    path = tmp_path / "data.zip"
    path.write_bytes(inner.getvalue())
    if nested:
        path = _zip(tmp_path / "outer.zip", ("data.zip", inner.getvalue()))
    message = _message(path, tmp_path / "out", inner="data.zip" if nested else None)
    assert "climbs out of the folder" in message and "Nothing was unpacked" in message
    out = tmp_path / "out"
    assert not out.exists() or not [p for p in out.rglob("*") if p.is_file()]
    assert not (tmp_path / "x.pkl").exists()


def test_a_file_of_the_inner_name_is_left_alone(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "inner.zip", ("S/a.pkl", b"1"))
    path = _zip(tmp_path / "outer.zip", ("data.zip", inner.read_bytes()))
    out = tmp_path / "out"
    out.mkdir()
    mine = out / "data.zip"
    mine.write_bytes(b"x" * inner.stat().st_size)
    (file,) = unpack(path, out, members=r"S/.*\.pkl", inner="data.zip")
    assert file.read_bytes() == b"1" and mine.read_bytes()[:1] == b"x"
    assert sorted(entry.name for entry in out.iterdir()) == ["S", "data.zip"]
    # The inner archive alone will do, too.
    assert unpack(inner, tmp_path / "two", members=r"S/.*\.pkl", inner="data.zip")


def test_what_is_unpacked_already_needs_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _zip(tmp_path / "a.zip", ("S/a.pkl", b"1" * 9), ("S/b.pkl", b"2" * 9))
    free = type("Usage", (), {"free": 10})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    assert "are free in" in _message(path, tmp_path / "out")
    (tmp_path / "out" / "S").mkdir(parents=True)
    (tmp_path / "out" / "S" / "a.pkl").write_bytes(b"1" * 9)
    assert len(unpack(path, tmp_path / "out", members=".*")) == 2


def test_links(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("S/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    message = _message(_zip(tmp_path / "a.zip", (link, b"/etc/passwd")), tmp_path / "out")
    assert "is a link or a device" in message


def test_a_folder_that_is_a_link_leads_nowhere(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", ("S/a.pkl", b"1"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "S").symlink_to(tmp_path / "elsewhere")
    assert "a link leads out" in _message(path, tmp_path / "out")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _zip(tmp_path / "a.zip", ("S/a.pkl", b"\0" * (1 << 20)))
    monkeypatch.setattr("ppg.loaders.archive.SMALL_BYTES", 1 << 16)
    assert "declares 0.0 GiB" in _message(path, tmp_path / "out")


def test_more_than_the_disk_holds(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", ("S/a.pkl", b"1" * 100))
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24  # the declared size in the table of members
    content[at : at + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)
    assert "declares 2.0 GiB" in _message(path, tmp_path / "out")


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "garbled", "other"])
def test_no_archive(kind: str, tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", ("S/a.pkl", bytes(range(256)) * 8))
    content = bytearray(path.read_bytes())
    if kind == "empty":
        content = bytearray()
    elif kind == "text":
        content = bytearray(b"<html>gone</html>")
    elif kind == "truncated":
        del content[len(content) // 2 :]
    elif kind == "garbled":
        content[60] ^= 255
    path.write_bytes(content)
    said = {"other": "none of its 1 members", "garbled": "truncated or damaged"}
    members = "T/.*" if kind == "other" else ".*"
    message = _message(path, tmp_path / "out", members)
    assert said.get(kind, "not a whole .zip") in message
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()]


def test_a_stopped_unpacking_goes_on(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", ("a", b"11"), ("b", b"22"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "a").write_bytes(b"xx")  # the right size: taken as it is
    (out / "b").write_bytes(b"2")  # half of it: written again
    unpack(path, out, members=".*")
    assert (out / "a").read_bytes() == b"xx" and (out / "b").read_bytes() == b"22"
