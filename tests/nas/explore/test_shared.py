"""Networks of one search, trained by several processes through a real PostgreSQL."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from distill.training.effort import EFFORTS
from distill.training.jobs import new_processes
from hwmodels.costs import Costs
from nas.explore.problem import Problem
from nas.explore.shared import RETRIES, Database, check_storage, hidden, opened
from nas.run.config import Budgets, ConfigError, SearchConfig
from ppgnas.errors import DependencyError, RunError
from search_spaces.arch import Arch
from search_spaces.space import SearchSpace
from tests.nas.explore.made import COSTS
from tests.postgres import postgres

pytest.importorskip("psycopg", reason="needs the extra cluster")
sqlalchemy = pytest.importorskip("sqlalchemy")
TINY, SMOKE = SearchSpace.preset("tiny"), EFFORTS["smoke"]
PROBLEM = Problem(
    ("mae", "latency"),
    {"flash": 4096.0, "latency": 4.0},
    "total",
    {"mae_bpm": 30.0, "latency_ms": 5.0},
)
WORKERS, NETWORKS = 4, 10
Leading = Callable[..., Database]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as address:
        yield address


def cost_of(arch: Arch) -> Costs:
    return COSTS


def networks(count: int) -> list[Arch]:
    rng, drawn = random.Random(1), dict[Arch, None]()
    while len(drawn) < count:
        drawn[TINY.sample(rng)] = None
    return list(drawn)


def error_of(arch: Arch) -> float:
    return 1.0 + int(arch.id, 16) % 1000 / 1000


@pytest.fixture
def leading(url: str) -> Iterator[Leading]:
    """Makes what a search of a name has, or with `leads=False` a worker."""
    with ExitStack() as open_:

        def make(name: str, *, leads: bool = True, lost_s: int = 600) -> Database:
            made = Database(
                url,
                name,
                problem=PROBLEM,
                cost_of=cost_of,
                leads=leads,
                beat_s=1,
                lost_s=lost_s,
            )
            return open_.enter_context(closing(made))

        yield make


def take_part(database: Database, folder: Path, work_s: float) -> None:
    """What a machine does, one network at a time; files say who does which."""
    while not (folder / "over").exists():
        asked = database.asked()
        if asked is None:
            time.sleep(0.05)
            continue
        archs = asked.archs
        queue = database.queue(asked.kind, archs, asked.effort)
        while queue.pending():
            if (index := queue.claim()) is None:
                time.sleep(0.05)
                continue
            (folder / f"{archs[index].id}-{os.getpid()}").touch()
            while len(who_began(folder)) < WORKERS:  # so that each has a part, however busy it is
                queue.pending()  # tells that this one is alive
                time.sleep(0.05)
            time.sleep(work_s)
            queue.done(index, SimpleNamespace(first_score_bpm=error_of(archs[index])))


def who_began(folder: Path) -> set[str]:
    """Processes that began a network."""
    return {path.name.split("-")[1] for path in folder.glob("*-*")}


def trials_of(database: Database) -> list[optuna.trial.FrozenTrial]:
    """As any client of Optuna sees them."""
    name = f"{database.name}: first rungs"
    return optuna.load_study(study_name=name, storage=database.storage).get_trials()


def test_of_four_workers_one_is_killed_and_nothing_is_lost_or_told_twice(
    leading: Leading, tmp_path: Path
) -> None:
    database, archs = leading("four", lost_s=4), networks(NETWORKS)
    context = new_processes()
    worker = leading("four", leads=False, lost_s=4)
    workers = [
        context.Process(target=take_part, args=(worker, tmp_path, 0.3), daemon=True)
        for _ in range(WORKERS)
    ]
    queue = database.queue("first rungs", archs, SMOKE)
    for process in workers:
        process.start()
    until_s = time.monotonic() + 600
    while queue.pending() and time.monotonic() < until_s:
        if workers[0].exitcode is None and str(workers[0].pid) in who_began(tmp_path):
            os.kill(workers[0].pid or 0, signal.SIGKILL)  # in the middle of its first
            workers[0].join()
        time.sleep(0.05)
    (tmp_path / "over").touch()
    for process in workers:
        process.join(600)
    assert workers[0].exitcode == -signal.SIGKILL

    trials = trials_of(database)
    told = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert Counter(t.user_attrs["id"] for t in told) == Counter(a.id for a in archs)
    by_id = {arch.id: arch for arch in archs}
    for trial in told:
        assert trial.values == [error_of(by_id[trial.user_attrs["id"]]), 2.0]
    its = {path.name.split("-")[0] for path in tmp_path.glob(f"*-{workers[0].pid}")}
    assert its & {t.user_attrs["id"] for t in trials if t.state == TrialState.FAIL}
    assert len(who_began(tmp_path)) == WORKERS


def begin(url: str, together: Barrier) -> None:
    """What a machine does first."""
    together.wait()
    assert opened(url).get_all_studies() == []


def test_machines_that_begin_at_once_share_an_empty_database(url: str) -> None:
    empty = url.removesuffix("postgres") + "empty"
    alone = {"isolation_level": "AUTOCOMMIT", "poolclass": sqlalchemy.NullPool}
    with sqlalchemy.create_engine(url, **alone).connect() as connection:
        connection.execute(sqlalchemy.text("CREATE DATABASE empty"))
    context = new_processes()
    together = context.Barrier(WORKERS)
    machines = [context.Process(target=begin, args=(empty, together)) for _ in range(WORKERS)]
    for machine in machines:
        machine.start()
    for machine in machines:
        machine.join(600)
    assert [machine.exitcode for machine in machines] == [0] * WORKERS


def test_what_waits_is_not_added_again_and_what_is_new_is(leading: Leading) -> None:
    database, archs = leading("again"), networks(3)
    first = database.queue("first rungs", archs[:2], SMOKE)
    assert first.pending() == {0, 1} and first.claim() == 0
    assert first.pending() == {0, 1}  # ours until it is told

    resumed = leading("again").queue("first rungs", archs, SMOKE)
    assert len(trials_of(database)) == 3 and resumed.claim() == 1
    first.done(0, SimpleNamespace(first_score_bpm=1.5))
    assert first.pending() == {1}  # which the other does
    resumed.done(1, SimpleNamespace(first_score_bpm=2.5))
    third = leading("again").queue("first rungs", archs[:1], SMOKE)  # its file was lost
    assert third.claim() == 0 and len(trials_of(database)) == 4


def test_a_worker_waits_for_nobody_and_sees_its_own_run_alone(leading: Leading) -> None:
    archs = networks(2)
    asking = leading("mine")
    asking.queue("finalists", archs, replace(SMOKE, qat_steps=3))
    assert leading("other", leads=False).asked() is None
    worker = leading("mine", leads=False)
    asked = worker.asked()
    assert asked is not None and asked.kind == "finalists" and asked.effort.qat_steps == 3
    assert asked.archs == archs
    one, two = (worker.queue("finalists", archs, asked.effort) for _ in range(2))
    index = one.claim()
    assert index is not None and two.claim() == 1 - index
    assert worker.asked() is None
    while one.pending() != {index}:  # it looks now and then
        time.sleep(0.05)
    one.done(index, SimpleNamespace(search_mae_bpm=1.0))
    assert one.pending() == set()


def test_what_is_enough_is_withdrawn(leading: Leading) -> None:
    queue = leading("enough").queue("first rungs", networks(3), SMOKE)
    assert queue.claim() == 0
    queue.withdraw()
    assert queue.pending() == {0} and queue.claim() is None
    queue.done(0, SimpleNamespace(first_score_bpm=1.0))
    assert queue.pending() == set()


def test_what_is_lost_again_and_again_ends_the_search(leading: Leading) -> None:
    database = leading("lost")
    queue = database.queue("first rungs", networks(1), SMOKE)
    study = optuna.load_study(study_name="lost: first rungs", storage=database.storage)
    retry = database.storage.get_heartbeat_stale_trial_callback()
    assert retry is not None
    for _ in range(RETRIES + 1):
        trial = study.get_trials()[-1]
        database.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        retry(study, trial)
    with pytest.raises(RunError, match="1 of the first rungs were lost 4 times"):
        queue.pending()
    assert leading("lost").queue("first rungs", networks(1), SMOKE).claim() == 0


def config(storage: str, **more: Any) -> SearchConfig:
    return SearchConfig(budgets=Budgets(flash_bytes=1), storage=storage, **more)


def test_other_databases_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"'sqlite:///a.db'; allowed: postgresql\+psycopg://"):
        check_storage(config("sqlite:///a.db"))
    with pytest.raises(ConfigError, match="`storage` and `dask` both say who trains"):
        check_storage(config("postgresql+psycopg://a@b/c", dask="local"))
    address = "postgresql+psycopg://me:secret@127.0.0.1:9/none"
    with pytest.raises(RunError, match=r"://me:\*\*\*@127.0.0.1:9/none does not answer") as told:
        check_storage(config(address))
    assert "secret" not in str(told.value)
    monkeypatch.setattr("nas.explore.shared.find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"`storage` needs psycopg: .*pip install"):
        check_storage(config(address))


def test_passwords_are_hidden() -> None:
    said = "ppgnas search --storage 'postgresql+psycopg://me:p@ss@db/x' --out a@b"
    assert hidden(said) == "ppgnas search --storage 'postgresql+psycopg://me:***@db/x' --out a@b"
    assert hidden("--dask tcp://10.0.0.5:8786") == "--dask tcp://10.0.0.5:8786"
