"""One run whose costs are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nas.run.folder import RunDir
from tests.nas.explore.rescore.made import candidates, write_run


@pytest.fixture(scope="session")
def listed() -> list[dict[str, Any]]:
    return candidates(250)


@pytest.fixture
def run(tmp_path: Path, listed: list[dict[str, Any]]) -> RunDir:
    return write_run(tmp_path / "run", listed)
