"""Many cases, in a process beside this one, which may die."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.mutation.worker import WAIT_S
from tests.mutation.world import make_world

ROOT = Path(__file__).parents[2]
Result = dict[str, Any]


def run(inputs: int, *, seed: int, first: int = 0) -> Iterator[Result]:
    """Results of cases `first` to `first + inputs`, in order.

    Args:
        inputs: how many.
        seed: of all of them.
        first: number of the first.
    """
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        world = make_world(Path(folder) / "world")
        number = first
        while number < first + inputs:
            for result in _in_process(world, seed, number, first + inputs):
                yield result
                number = result["number"] + 1


def _in_process(world: Path, seed: int, first: int, last: int) -> Iterator[Result]:
    """Results until the process ends or dies; the last one says so."""
    arguments = [str(world), str(seed), str(first), str(last)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.mutation.worker", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    begun, ended = first, first - 1
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(timeout=2 * WAIT_S):
                process.kill()
            line = process.stdout.readline()
            if not line:
                break
            message = json.loads(line)
            if "begins" in message:
                begun = message["begins"]
            else:
                ended = message["number"]
                yield message
    code = process.wait()
    process.stdout.close()
    if begun > ended:
        yield {
            "number": begun,
            "document": "?",
            "verb": "?",
            "missed": f"the process died: {code}",
        }
