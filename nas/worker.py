"""Another machine that takes part in a search: it trains networks until the search is over."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

from nas.explore.finalists import retrain
from nas.explore.shared import POLL_S
from nas.models.backend import MakeTrainer, torch_trainer
from nas.run.claim import claim
from nas.run.config import ConfigError, SearchConfig
from nas.run.folder import RunDir
from nas.run.job import interrupt
from nas.run.job.progress import Progress
from nas.search import prepared


def work(
    config: SearchConfig,
    run: RunDir,
    *,
    progress: Progress,
    make_trainer: MakeTrainer = torch_trainer,
) -> int:
    """Train what a search of another process wants trained.

    Args:
        config: of the search, with the same `storage`.
        run: its folder, as this machine sees it.
        make_trainer: as of `nas.search.search`.

    Returns:
        How many times something was found to do.

    Raises:
        PpgnasError: bad input, other recordings, or the database does not answer.
    """
    if config.storage is None:
        raise ConfigError("`worker` takes part in a search by its database: pass its `storage`")
    if run.document().finished is not None:
        progress.say(f"{run.path} is finished already.")
        return 0
    ready = prepared(config, run, progress=progress, make_trainer=make_trainer)
    claim(run, config, ready.space, ready.people, command="")  # the same search, the same people
    with closing(ready.database(config.storage, leads=False)) as database:
        trainer = replace(ready, site=replace(ready.site, share=database)).trainer()
        progress.say(f"Waiting for networks of {run.path} to train; Ctrl-C leaves them to others.")
        times = 0
        while not run.finished:
            interrupt.check()
            if (asked := database.asked()) is not None:
                with progress.phase(asked.kind) as tick:
                    own = trainer.at(asked.effort)
                    if asked.kind == "finalists":
                        retrain(asked.archs, own, run, tick)
                    else:
                        own.begin(asked.archs, tick, asked.kind)
                times += 1
            time.sleep(POLL_S)
    progress.say("The search is over.")
    return times
