"""A made-up run directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.report.loading import RunData, load_run
from tests.nas.report.report_run import make_run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "full")


@pytest.fixture(scope="session")
def data(run: Path) -> RunData:
    return load_run(run)
