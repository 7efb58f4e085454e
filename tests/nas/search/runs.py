"""A search of a few candidates whose trainings take no time."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from nas.run.config import SearchConfig
from nas.run.folder import RunDir
from nas.run.job.progress import Progress, Silent
from nas.run.resolve import resolve
from nas.search import search
from tests.nas.fakes import FakeTrainer, few_drawn

TRIALS = 70


def config_for(data: Path, **given: Any) -> SearchConfig:
    options = {
        "device": "cpu",
        "budget": "80KB",
        "data": str(data),
        "space": "tiny",
        "trials": TRIALS,
        "finalists": 3,
        **given,
    }
    return resolve(options)


def go(
    config: SearchConfig,
    path: Path,
    calls: list[str] | None = None,
    *,
    progress: Progress | None = None,
    page: bool = False,
    delay_s: float = 0.0,
) -> RunDir:
    run = RunDir(path)
    with few_drawn(page=page):
        search(
            config,
            run,
            command="ppgnas search",
            progress=progress or Silent(),
            make_trainer=partial(FakeTrainer, calls=calls, delay_s=delay_s),
        )
    return run
