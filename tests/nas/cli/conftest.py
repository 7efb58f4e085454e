"""Made-up people and a training that takes no time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import nas.search
from tests.nas.fakes import FakeTrainer, few_drawn, write_people


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return write_people(tmp_path / "people")


@pytest.fixture
def fake_training(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    search = partial(nas.search.search, make_trainer=FakeTrainer)
    monkeypatch.setattr(nas.search, "search", search)
    with few_drawn():
        yield
