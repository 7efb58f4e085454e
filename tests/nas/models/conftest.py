"""One model and one search that every file reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.run.config import TrainConfig
from nas.run.folder import RunDir
from nas.run.job.progress import Silent
from nas.run.resolve import resolve
from nas.search import search
from tests.nas.fakes import FakeTrainer, few_drawn, write_people
from tests.nas.models.trained import make_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    config = TrainConfig(data=str(write_people(folder / "people")), device="cpu")
    make_model(config, folder / "model")
    return folder / "model"


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    folder = tmp_path_factory.mktemp("models")
    config = resolve(
        {
            "budget": "80KB",
            "data": str(write_people(folder / "data")),
            "space": "tiny",
            "trials": 30,
            "finalists": 2,
        }
    )
    run = RunDir(folder / "run")
    with few_drawn(page=False):
        search(config, run, command="", progress=Silent(), make_trainer=FakeTrainer)
    return run
