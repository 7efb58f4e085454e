"""One model that every file reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.run.config import TrainConfig
from tests.nas.fakes import write_people
from tests.nas.models.trained import make_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    config = TrainConfig(data=str(write_people(folder / "people")), device="cpu")
    make_model(config, folder / "model")
    return folder / "model"
