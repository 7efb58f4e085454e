"""A PostgreSQL of one test file, which lives in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _program(name: str) -> str:
    """Of the newest version: Debian keeps it off the PATH."""
    found = shutil.which(name)
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if found is None and not places:
        pytest.skip(f"{name} of PostgreSQL is not installed: apt-get install postgresql")
    return found or str(places[-1])


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database, which is gone afterwards."""
    initdb, server = _program("initdb"), _program("postgres")
    folder = Path(tempfile.mkdtemp(prefix="ppgnas-pg-"))
    user = None
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # which PostgreSQL refuses
        user = "nobody"
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    data, settings = str(folder / "data"), ["-c", "fsync=off"]
    make = [initdb, "--auth=trust", "--username=ppgnas", "--no-sync", "--pgdata", data]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, user=user, cwd="/")
    start = [server, "-D", data, "-k", str(folder), "-h", "127.0.0.1", "-p", port, *settings]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(start, stdout=log, stderr=log, user=user, cwd="/")
    try:
        until_s = time.monotonic() + 600
        while not (folder / f".s.PGSQL.{port}").exists():
            assert process.poll() is None and time.monotonic() < until_s, "it does not start"
            time.sleep(0.05)
        yield f"postgresql+psycopg://ppgnas@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # at once, whoever is connected
        process.wait()
        shutil.rmtree(folder)
