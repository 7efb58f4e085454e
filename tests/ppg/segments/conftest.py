from __future__ import annotations

from pathlib import Path

import pytest

from ppg.segments.shards import Shards, write_shards
from ppg.synthetic.recordings import synthesize


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Shards:
    folder: Path = tmp_path_factory.mktemp("shards")
    return write_shards(synthesize(people=6, minutes=1.5, seed=3), folder)
