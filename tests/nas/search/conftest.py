"""Made-up people, and one search of them that every file reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.run.folder import RunDir
from tests.nas.fakes import write_people
from tests.nas.search.runs import config_for, go


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="session")
def finished(people: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return go(config_for(people), tmp_path_factory.mktemp("runs") / "run", page=True)
