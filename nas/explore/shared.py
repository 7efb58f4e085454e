"""The trainings of a search in a database, where any number of machines takes part.

Rungs and finalists are what takes minutes. Each is a trial of an Optuna study of the run,
`NAME: first rungs`, `NAME: second rungs` or `NAME: finalists`. The search that leads adds what it
wants trained, all of a round at once, as waiting trials; whoever is free takes one, tells Optuna's
heartbeat that it is alive, and the error in the end. What a lost machine was doing is given to
another by the one that leads. Weights and networks lie in the run directory, which all machines
see.

A training does not depend on who does it, so the search is the one of a single machine. Proposals
take a millisecond and stay in the run's journal: told choice by choice, one would take a hundred.
"""

from __future__ import annotations

import math
import platform
import random
import re
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, asdict, dataclass
from functools import cached_property
from importlib.util import find_spec
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import TrialState, create_trial
from pydantic import TypeAdapter

from distill.training.effort import Effort
from distill.training.jobs import KINDS, Kind
from nas.explore.problem import CostOf, Problem
from nas.run.config import ConfigError, SearchConfig
from ppgnas.errors import DependencyError, RunError, install_line
from ppgnas.parsing import parse_json
from search_spaces.arch import Arch

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SCHEME: Final = "postgresql+psycopg://"
BEAT_S, LOST_S = 10, 60
POLL_S = 1.0
RETRIES: Final = 3
_CONNECT_S = 20
_ERROR_BPM = {
    "first rungs": attrgetter("first_score_bpm"),
    "second rungs": attrgetter("score_bpm"),
    "finalists": attrgetter("search_mae_bpm"),
}
_EFFORT = TypeAdapter(Effort)
_OPEN = (TrialState.WAITING, TrialState.RUNNING)


@dataclass(frozen=True)
class Asked:
    """Networks that wait for somebody to train them, and how long."""

    kind: Kind
    archs: list[Arch]
    effort: Effort


@dataclass(frozen=True, eq=False)
class Database:
    """The studies of one run.

    Attributes:
        name: of the run: the same on all machines, and of no other run.
        problem, cost_of: of the search.
        leads: whether this process adds trainings and waits for all of them.
        beat_s, lost_s: seconds between two signs of life, and without one until a training is
            given to another.

    Raises:
        DependencyError: psycopg is not installed.
        RunError: the database does not answer.
    """

    url: str
    name: str
    _: KW_ONLY
    problem: Problem
    cost_of: CostOf
    leads: bool
    beat_s: int = BEAT_S
    lost_s: int = LOST_S

    @cached_property
    def storage(self) -> RDBStorage:
        """The storage of Optuna."""
        return opened(self.url, beat_s=self.beat_s, lost_s=self.lost_s)

    def close(self) -> None:
        """Give the connection back."""
        self.storage.engine.dispose()

    def queue(self, kind: Kind, archs: Sequence[Arch], effort: Effort) -> Trainings:
        """See `distill.training.jobs.Share`."""
        with answering(self.url):
            study = self._study(kind)
            trainings = Trainings(self, study, kind, {a.id: n for n, a in enumerate(archs)})
            if self.leads:
                open_already = {t.user_attrs["id"] for t in study.get_trials(states=_OPEN)}
                for arch in archs:
                    if arch.id not in open_already:
                        facts = {"id": arch.id, "arch": arch.dumps(), "effort": asdict(effort)}
                        study.add_trial(create_trial(state=TrialState.WAITING, user_attrs=facts))
            return trainings

    def asked(self) -> Asked | None:
        """What waits now, of one effort."""
        with answering(self.url):
            known = {each.study_name for each in self.storage.get_all_studies()}
            for kind in KINDS:
                if self._named(kind) not in known:
                    continue
                trials = self._study(kind).get_trials(states=(TrialState.WAITING,))
                if trials:
                    effort = trials[0].user_attrs["effort"]
                    same = [each for each in trials if each.user_attrs["effort"] == effort]
                    archs = [_arch_of(each) for each in same]
                    return Asked(kind, archs, _EFFORT.validate_python(effort))
        return None

    def _named(self, kind: Kind) -> str:
        return f"{self.name}: {kind}"

    def _study(self, kind: Kind) -> optuna.Study:
        objectives = self.problem.objectives
        with warnings.catch_warnings():
            # experimental in Optuna 5; the version is pinned
            warnings.simplefilter("ignore", ExperimentalWarning)
            study = optuna.create_study(
                storage=self.storage,
                study_name=self._named(kind),
                directions=["minimize"] * len(objectives),
                load_if_exists=True,
            )
            if self.leads:
                study.set_metric_names(list(objectives))
        return study


class Trainings:
    """Some networks of one study; see `distill.training.jobs.Queue`.

    Args:
        study: of first rungs or finalists.
        kind: which of them.
        places: network's id -> index of its training.
    """

    def __init__(
        self, database: Database, study: optuna.Study, kind: Kind, places: dict[str, int]
    ) -> None:
        self._database, self._study, self._kind, self._places = database, study, kind, places
        self._ours: dict[int, FrozenTrial] = {}
        self._newest: dict[int, FrozenTrial] = {}
        self._tried: set[int] = set()
        self._withdrawn = False
        self._polled_s = self._beaten_s = -math.inf

    def claim(self) -> int | None:
        """One that waits: for the search that leads the first, for others any.

        So two rarely want the same.
        """
        self._poll()
        waits = [n for n, t in sorted(self._newest.items()) if t.state == TrialState.WAITING]
        if not self._database.leads:
            random.shuffle(waits)
        for index in waits:
            if index not in self._tried and index not in self._ours and self._take(index):
                return index
        return None

    def _take(self, index: int) -> bool:
        self._tried.add(index)
        trial, storage = self._newest[index], self._database.storage
        with answering(self._database.url), suppress(UpdateFinishedTrialError):
            # before it is ours: one that never had a heartbeat counts as alive for ever
            storage.record_heartbeat(trial._trial_id)
            if storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                storage.set_trial_user_attr(trial._trial_id, "machine", platform.node())
                self._ours[index] = trial
                return True
        return False

    def done(self, index: int, result: object) -> None:
        """Tell its error, unless we were given up and another told it."""
        trial = self._ours.pop(index)
        error_bpm = float(_ERROR_BPM[self._kind](result))
        costs = self._database.cost_of(_arch_of(trial))
        values = self._database.problem.objective_values(error_bpm, costs)
        with answering(self._database.url), suppress(UpdateFinishedTrialError):
            self._database.storage.set_trial_state_values(
                trial._trial_id, TrialState.COMPLETE, values
            )
        if self._database.leads:
            self._read()

    def withdraw(self) -> None:
        """Let what waits fail."""
        self._withdrawn = True
        with answering(self._database.url):
            for trial in self._study.get_trials(states=(TrialState.WAITING,)):
                with suppress(UpdateFinishedTrialError):
                    self._database.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        self._read()

    def pending(self) -> set[int]:
        """Ours and what waits; for the search that leads all that somebody does.

        Raises:
            RunError: one was lost again and again, or the database does not answer.
        """
        self._poll()
        if self._database.leads:
            open_ = {index for index, trial in self._newest.items() if trial.state in _OPEN}
        else:
            waits = {n for n, t in self._newest.items() if t.state == TrialState.WAITING}
            open_ = waits - self._tried
        return open_ | {*self._ours}

    def _poll(self) -> None:
        """Tell that we are alive, and look what others did; now and then."""
        now_s = time.monotonic()
        if now_s < self._polled_s + POLL_S:
            return
        if now_s >= self._beaten_s + self._database.beat_s:
            with answering(self._database.url), warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                for trial in self._ours.values():
                    self._database.storage.record_heartbeat(trial._trial_id)
                if self._database.leads:
                    fail_stale_trials(self._study)
            self._beaten_s = now_s
        self._read()

    def _read(self) -> None:
        self._tried.clear()
        with answering(self._database.url):
            trials = self._study.get_trials(deepcopy=False)
        for trial in trials:
            if (place := self._places.get(trial.user_attrs["id"])) is not None:
                self._newest[place] = trial
        self._polled_s = time.monotonic()
        lost = [t for t in self._newest.values() if t.state == TrialState.FAIL]
        if lost and self._database.leads and not self._withdrawn:
            raise RunError(
                f"{len(lost)} of the {self._kind} were lost {RETRIES + 1} times, with those who "
                "trained them, perhaps for want of memory; continue with `resume`"
            )


def _arch_of(trial: FrozenTrial) -> Arch:
    return Arch.from_json(parse_json(trial.user_attrs["arch"]))


def check_storage(config: SearchConfig) -> None:
    """Refuse a database that could not be used, before anything is trained for it.

    Raises:
        ConfigError: it is none of PostgreSQL, or a cluster trains already.
        DependencyError, RunError: as `opened`.
    """
    url = config.storage
    if url is None:
        return
    if config.dask is not None:
        raise ConfigError("`storage` and `dask` both say who trains networks; give one of them")
    if not url.startswith(SCHEME):
        raise ConfigError(
            f"`storage` is {hidden(url)!r}; allowed: {SCHEME}USER@HOST/DATABASE. A file, as of "
            "SQLite, is not safe to share between machines; one machine needs no `storage`: its "
            "study lies in the run, as study.journal"
        )
    opened(url).engine.dispose()


def opened(url: str, *, beat_s: int = BEAT_S, lost_s: int = LOST_S) -> RDBStorage:
    """The storage of Optuna behind a URL.

    Raises:
        DependencyError: psycopg is not installed.
        RunError: the database does not answer.
    """
    if find_spec("psycopg") is None:
        raise DependencyError(f"`storage` needs psycopg: {install_line('cluster')}")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with answering(url), _alone(url), warnings.catch_warnings():
        # experimental in Optuna 5; the version is pinned
        warnings.simplefilter("ignore", ExperimentalWarning)
        return RDBStorage(
            url,
            engine_kwargs={"pool_pre_ping": True, "connect_args": {"connect_timeout": _CONNECT_S}},
            heartbeat_interval=beat_s,
            grace_period=lost_s,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
        )


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """Nobody else in such a block: machines that begin at once would all make Optuna's tables."""
    from sqlalchemy import NullPool, create_engine, text

    limit = {"connect_timeout": _CONNECT_S}
    with create_engine(url, poolclass=NullPool, connect_args=limit).begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('ppgnas'))"))
        yield


def hidden(url: str) -> str:
    """A URL, or what holds one, without its password."""
    return re.sub(r"(://[^:/@\s]*):[^\s]*@", r"\1:***@", url)


@contextmanager
def answering(url: str) -> Iterator[None]:
    """What a database that does not answer makes of a question.

    Raises:
        RunError: it does not.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise RunError(
            f"`storage`: {hidden(url)} does not answer as a database of Optuna ({reason}); check "
            "the address, and that the database exists, then go on with `resume`"
        ) from error
