"""A few synthetic people, and nothing that trains for long."""

from __future__ import annotations

import pytest

from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize


@pytest.fixture(scope="session")
def people() -> list[Recording]:
    return synthesize(people=4, minutes=2.0, seed=5)
