"""A machine that takes part in the search of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from distill.training.effort import Effort
from distill.training.jobs import Rung
from nas.run.config import ConfigError, SearchConfig
from nas.run.folder import RunDir
from nas.run.job.progress import Silent, Tick
from nas.run.resolve import resolve
from nas.search import search
from nas.worker import work
from ppg.npz.folder import write_recording
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import RunError
from search_spaces.arch import Arch
from tests.nas.fakes import FakeTrainer, fake_mae, write_people
from tests.postgres import postgres

pytest.importorskip("psycopg", reason="needs the extra cluster")


class Sharing(FakeTrainer):
    """Adds first rungs to the queue; the search that leads is killed then, a worker does them."""

    def __init__(self, *args: Any, site: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.site = site

    def at(self, effort: Effort) -> FakeTrainer:
        self.calls.append(f"at {effort.name}")
        return self

    def begin_many(self, archs: Sequence[Arch], progress: Tick, kind: Rung = "first rungs") -> Any:
        self.site.share.queue(kind, archs, self.effort)
        raise KeyboardInterrupt

    def begin(self, archs: Sequence[Arch], progress: Tick, kind: Rung = "first rungs") -> None:
        queue = self.site.share.queue(kind, archs, self.effort)
        while (index := queue.claim()) is not None:
            self.calls.append(f"begin {archs[index].id}")
            queue.done(index, SimpleNamespace(first_score_bpm=fake_mae(archs[index])))
        RunDir(self.folder).finish()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as address:
        yield address


def config_for(data: Path, **given: Any) -> SearchConfig:
    fixed = {"device": "cpu", "budget": "80KB", "space": "tiny", "effort": "smoke"}
    return resolve({**fixed, "data": str(data), **given})


def test_a_worker_does_what_waits_until_the_search_is_over(url: str, tmp_path: Path) -> None:
    people, run = write_people(tmp_path / "people"), RunDir(tmp_path / "run")
    config = config_for(people, storage=url.replace("ppgnas@", "ppgnas:secret@"))
    with pytest.raises(KeyboardInterrupt):
        search(config, run, command="", progress=Silent(), make_trainer=Sharing)
    assert "secret" not in run.toml.read_text() and "postgres" not in run.toml.read_text()

    calls: list[str] = []
    make = partial(Sharing, calls=calls)
    assert work(config, run, progress=Silent(), make_trainer=make) == 1
    assert calls[0] == "at smoke" and len(set(calls[1:])) == len(calls[1:]) == 6
    assert work(config, run, progress=Silent(), make_trainer=make) == 0  # it is finished


def test_a_worker_without_a_database_or_with_other_people_is_refused(
    url: str, tmp_path: Path
) -> None:
    people, run = write_people(tmp_path / "people"), RunDir(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"`worker` takes part .* pass its `storage`"):
        work(config_for(people), run, progress=Silent())
    config = config_for(people, storage=url)
    with pytest.raises(RunError, match="holds no run"):
        work(config, run, progress=Silent(), make_trainer=Sharing)
    with pytest.raises(KeyboardInterrupt):
        search(config, run, command="", progress=Silent(), make_trainer=Sharing)
    (other,) = synthesize(people=1, minutes=0.5, seed=8)
    write_recording(people / "synthetic" / "other.npz", other)
    with pytest.raises(RunError, match="the recordings changed since"):
        work(config, run, progress=Silent(), make_trainer=Sharing)
