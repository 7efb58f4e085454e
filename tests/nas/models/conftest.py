"""One model that every file reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.models.train import train_model
from nas.run.config import TrainConfig
from nas.run.job.progress import Silent
from tests.nas.fakes import write_people
from tests.nas.models.trained import ARCH, train_nothing


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    config = TrainConfig(data=str(write_people(folder / "people")), device="cpu")
    train_model(
        ARCH,
        config,
        folder / "model",
        command="ppgnas train",
        progress=Silent(),
        train=train_nothing,
    )
    return folder / "model"
