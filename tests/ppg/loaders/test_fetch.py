"""Downloads from a local server that truncates, stalls, corrupts and forgets."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ppg.loaders.fetch import FetchError, Patience, fetch
from ppg.loaders.registry import DataSet, data_set, read_folder
from ppgnas.errors import DataError, PpgnasError
from tests.ppg.loaders import upstream

QUICK = Patience(stall_s=0.4, least_bytes=100, tries=3, pause_s=0.01)
PATIENT = replace(QUICK, stall_s=60)  # where a slow machine must not look like a slow server


def _zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture(scope="module")
def content() -> bytes:
    """The nested archive of PPG-DaLiA with one person."""
    person = upstream.python2_pickle(upstream.dalia_person(seed=1, seconds=20))
    inner = _zip(
        {
            "PPG_FieldStudy/S1/S1.pkl": person,
            "PPG_FieldStudy/S1/S1_activity.csv": b"# NO_ACTIVITY\n",
            "PPG_FieldStudy/S1/S1_RespiBAN.h5": b"large and not needed",
        }
    )
    return _zip({"data.zip": inner, "readme.pdf": b"%PDF"})


class Server:
    """What to serve, how to misbehave, and what was asked.

    `faults` is used up, one a request: "truncate" closes half way and "stall" stops sending;
    "corrupt" flips a byte; "ignore" answers a Range with everything and "restart" with half of it;
    "drip" sends a byte at a time, "drip head" the head so; "endless" never stops and tells no
    length; "rude" puts controls into its words; "503", "404"; "to ADDRESS" sends on to it.
    """

    def __init__(self, content: bytes, *faults: str) -> None:
        self.content = content
        self.faults = list(faults)
        self.asked: list[str | None] = []
        self.stop = threading.Event()


@contextmanager
def serving(server: Server) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fault = server.faults.pop(0) if server.faults else ""
            wanted = self.headers.get("Range")
            server.asked.append(wanted)
            if fault.isdigit():
                self.send_error(int(fault))
                return
            if fault.startswith("to "):
                self.send_response(302)
                self.send_header("Location", fault[3:])
                self.end_headers()
                return
            if fault == "rude":
                self.wfile.write(b"HTTP/1.0 503 \x1b[2Jno\x07\r\n\r\n")
                return
            if fault == "drip head":
                self.drip(b"HTTP/1.0 200 " + b"y" * 10_000)
                return
            body = server.content
            first = int(wanted[6:-1]) if wanted and fault not in ("ignore", "restart") else 0
            if first >= len(body):
                self.send_error(416)
                return
            part = bytearray(body[first:])
            if fault == "corrupt":
                part[len(part) // 2] ^= 1
            self.send_response(206 if first else 200)
            if fault != "endless":
                self.send_header("Content-Length", str(len(part)))
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            if fault == "drip":
                self.drip(bytes(part))
                return
            while fault == "endless" and not server.stop.is_set():
                self.wfile.write(bytes(10_000))
            if fault in ("truncate", "stall", "restart"):
                self.wfile.write(part[: len(part) // 2])
                self.wfile.flush()
                if fault == "stall":
                    server.stop.wait(10)
                self.close_connection = True
                return
            self.wfile.write(part)

        def drip(self, content: bytes) -> None:
            for place in range(len(content)):
                if server.stop.wait(0.02):
                    return
                self.wfile.write(content[place : place + 1])
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}/ppg+dalia.zip"
    finally:
        server.stop.set()
        http.shutdown()
        thread.join()
        http.server_close()


def _known(url: str, content: bytes) -> DataSet:
    return replace(
        data_set("ppg_dalia"),
        url=url,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def test_licence_first_then_recordings(content: bytes, tmp_path: Path) -> None:
    said: list[str] = []
    server = Server(content)
    with serving(server) as url:

        def say(text: str) -> None:
            assert said or not server.asked  # the licence comes before the first request
            said.append(text)

        files = fetch(_known(url, content), tmp_path, say=say, patience=PATIENT)
    assert "CC BY 4.0" in said[0]
    assert sorted(file.name for file in files) == ["S1.pkl", "S1_activity.csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["PPG_FieldStudy", "ppg+dalia.zip"]
    (recording,) = read_folder(tmp_path)
    assert recording.person == "ppg_dalia/S1"


def test_a_second_run_downloads_nothing(content: bytes, tmp_path: Path) -> None:
    server = Server(content)
    with serving(server) as url:
        for _ in range(2):
            fetch(_known(url, content), tmp_path, patience=PATIENT)
    assert len(server.asked) == 1


@pytest.mark.parametrize("fault", ["truncate", "stall", "503"])
def test_a_break_is_resumed(fault: str, content: bytes, tmp_path: Path) -> None:
    server = Server(content, fault, fault)
    with serving(server) as url:
        patience = QUICK if fault == "stall" else PATIENT
        fetch(_known(url, content), tmp_path, patience=patience)
    half = len(content) // 2
    if fault == "503":
        assert server.asked == [None, None, None]
    else:
        assert server.asked[:2] == [None, f"bytes={half}-"] and len(server.asked) == 3
    assert (tmp_path / "ppg+dalia.zip").read_bytes() == content


def test_a_killed_download_goes_on_in_the_next_run(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "ppg+dalia.zip.part").write_bytes(content[:1000])
    server = Server(content)
    with serving(server) as url:
        fetch(_known(url, content), tmp_path, patience=PATIENT)
    assert server.asked == ["bytes=1000-"]


def test_a_server_that_ignores_the_range(content: bytes, tmp_path: Path) -> None:
    server = Server(content, "truncate", "ignore")
    with serving(server) as url:
        fetch(_known(url, content), tmp_path, patience=PATIENT)
    assert (tmp_path / "ppg+dalia.zip").read_bytes() == content


def test_too_much_was_there_already(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "ppg+dalia.zip.part").write_bytes(content + b"more")
    with serving(Server(content)) as url:
        fetch(_known(url, content), tmp_path, patience=PATIENT)
    assert (tmp_path / "ppg+dalia.zip").read_bytes() == content


def _message(known: DataSet, out: Path, patience: Patience = PATIENT, **options: object) -> str:
    with pytest.raises(PpgnasError) as caught:
        fetch(known, out, patience=patience, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_corrupt_file_is_thrown_away(content: bytes, tmp_path: Path) -> None:
    with serving(Server(content, "corrupt")) as url:
        message = _message(_known(url, content), tmp_path)
        assert "another SHA-256" in message and "thrown away" in message
        assert not list(tmp_path.iterdir())
        fetch(_known(url, content), tmp_path, patience=PATIENT)  # the next run is fine


def test_a_wrong_size_is_thrown_away(content: bytes, tmp_path: Path) -> None:
    with serving(Server(content + b"x")) as url:
        message = _message(_known(url, content), tmp_path)
    assert f"has {len(content) + 1} bytes; allowed: {len(content)}" in message
    assert not list(tmp_path.iterdir())


def test_a_server_that_never_recovers(content: bytes, tmp_path: Path) -> None:
    with serving(Server(content, "truncate", *["503"] * 9)) as url:
        message = _message(_known(url, content), tmp_path)
    assert f"stopped after {len(content) // 2} bytes of {len(content)}" in message
    assert "run the command again to go on" in message
    assert (tmp_path / "ppg+dalia.zip.part").stat().st_size == len(content) // 2


@pytest.mark.parametrize(
    ("fault", "why"),
    [("drip", r"\d+ bytes in"), ("drip head", "no answer in"), ("restart", "ended early")],
)
def test_a_server_without_progress_is_given_up(
    fault: str, why: str, content: bytes, tmp_path: Path
) -> None:
    server = Server(content, *[fault] * 20)
    with serving(server) as url:
        message = _message(_known(url, content), tmp_path, QUICK)
    assert re.search(f"and 3 tries without progress \\(.*{why}.*What arrived is kept", message)
    assert len(server.asked) <= 5


@pytest.mark.parametrize("known_size", [True, False])
def test_a_server_without_an_end_fills_no_disk(
    known_size: bool, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ppg.loaders.fetch.LARGEST_BYTES", 2_000_000)
    limit = len(content) if known_size else 2_000_000
    with serving(Server(content, "endless")) as url:
        known = _known(url, content)
        message = _message(known if known_size else replace(known, size_bytes=None), tmp_path)
    assert f"bytes; allowed: {limit}. It was thrown away" in message
    assert int(message.split("has ")[1].split()[0]) < limit + 300_000
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["http://[::1", f"http://{'a' * 70}.com/", "http://x]/"])
def test_a_server_that_sends_on_to_no_address(
    address: str, content: bytes, tmp_path: Path
) -> None:
    server = Server(content, *[f"to {address}"] * 3)
    with (
        serving(server) as url,
        pytest.raises(FetchError, match=r"3 tries without progress .no address to go on to: "),
    ):
        fetch(_known(url, content), tmp_path, patience=QUICK)
    server = Server(content, f"to {address}")
    with serving(server) as url:  # once is a fault like another
        assert fetch(_known(url, content), tmp_path, patience=QUICK)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG])
def test_what_cannot_be_written_is_not_tried_again(
    code: int, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, said = Server(content), list[str]()

    def full(*args: object, **kwargs: object) -> object:
        raise OSError(code, os.strerror(code))

    with serving(server) as url:
        monkeypatch.setattr(Path, "open", full)
        with pytest.raises(OSError) as caught:
            fetch(_known(url, content), tmp_path, patience=QUICK, say=said.append)
    assert caught.value.errno == code and not isinstance(caught.value, FetchError)
    assert len(server.asked) == 1 and "Broken off" not in "".join(said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_ends_a_download(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "ppg+dalia.zip.part").symlink_to("/dev/full")
    server = Server(content)
    with serving(server) as url, pytest.raises(OSError, match="No space left"):
        fetch(_known(url, content), tmp_path, patience=QUICK)
    assert len(server.asked) == 1


def test_controls_of_a_server_are_not_shown(content: bytes, tmp_path: Path) -> None:
    said: list[str] = []
    with serving(Server(content, "rude")) as url:
        fetch(_known(url, content), tmp_path, say=said.append, patience=PATIENT)
    (line,) = [line for line in said if "going on" in line]
    assert "503 \ufffd[2Jno\ufffd" in line and line.isprintable()


def test_a_missing_page(content: bytes, tmp_path: Path) -> None:
    server = Server(content, "404")
    with serving(server) as url:
        assert "answers 404" in _message(_known(url, content), tmp_path)
    assert len(server.asked) == 1


def test_nobody_listens(content: bytes, tmp_path: Path) -> None:
    with serving(Server(content)) as url:
        pass
    assert "0 bytes" in _message(_known(url, content), tmp_path)


def test_a_set_without_checksum_shows_the_one_it_has(content: bytes, tmp_path: Path) -> None:
    said: list[str] = []
    with serving(Server(content)) as url:
        known = replace(_known(url, content), sha256=None, size_bytes=None)
        fetch(known, tmp_path, say=said.append, patience=PATIENT)
    assert any(hashlib.sha256(content).hexdigest() in line for line in said)


def test_a_page_in_place_of_a_set_without_checksum_is_thrown_away(
    content: bytes, tmp_path: Path
) -> None:
    """As of a network that wants a login first."""
    for served in (b"<html>Welcome to our hotel</html>", content[:500]):
        with serving(Server(served)) as url:
            known = replace(_known(url, content), sha256=None, size_bytes=None)
            with pytest.raises(FetchError, match="What arrived was thrown away: run the command"):
                fetch(known, tmp_path, patience=PATIENT)
        assert not list(tmp_path.iterdir())
    with serving(Server(content)) as url:
        known = replace(_known(url, content), sha256=None, size_bytes=None)
        assert len(fetch(known, tmp_path, patience=PATIENT)) == 2


def test_an_archive_that_is_here(content: bytes, tmp_path: Path) -> None:
    known = _known("http://127.0.0.1:9/", content)
    archive = tmp_path / "mine.zip"
    archive.write_bytes(content)
    assert len(fetch(known, tmp_path / "out", archive=archive)) == 2
    archive.write_bytes(content[:-1])
    message = _message(known, tmp_path / "out", archive=archive)
    assert "truncated, damaged or another version" in message and "`sha256`" in message
    assert "no such file" in _message(known, tmp_path, archive=tmp_path / "none.zip")


def test_the_inner_archive_alone_as_a_folder_is_told(content: bytes, tmp_path: Path) -> None:
    """`read_folder` names the command that unpacks what lies there."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (tmp_path / "data.zip").write_bytes(archive.read("data.zip"))
    with pytest.raises(DataError) as caught:
        read_folder(tmp_path)
    words = str(caught.value).split("ppgnas data fetch ")[1].split()
    assert words == ["ppg_dalia", "--from", str(tmp_path / "data.zip"), "--out", str(tmp_path)]
    fetch(data_set(words[0]), Path(words[4]), archive=Path(words[2]))
    assert len(read_folder(tmp_path)) == 1
    assert (tmp_path / "data.zip").is_file()


def test_what_cannot_be_fetched(tmp_path: Path) -> None:
    message = _message(data_set("bami"), tmp_path)
    assert "cannot be fetched" in message and "ieeexplore" in message
    with pytest.raises(DataError, match="64 hexadecimal digits"):
        fetch(data_set("bidmc"), tmp_path, sha256="abc")
