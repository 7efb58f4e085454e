"""`study.journal`: what a search considered, as Optuna's journal file.

A search proposes in rounds, and each is one Optuna study: `round 1`, ..., `search`. What they
considered is `candidates` in the end, with the errors that all trainings together foretell, and
networks that were trained whole are `finalists`. Any client of Optuna reads it, while it grows:

    optuna-dashboard results/run/study.journal

Trials are written as a whole once they ended, and the file at most once a second: 0.5 ms a trial
of forty choices. Told to Optuna's own file backend choice by choice, they took 130 ms (November
2026). A killed search asks for no trial again that the file holds.
"""

from __future__ import annotations

import copy
import json
import os
import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial
from pydantic import ValidationError

from nas.explore.problem import Problem
from nas.explore.study import candidate_of, frozen_of
from nas.run.candidates import Candidate
from nas.run.documents import AGAIN
from ppgnas.errors import RunError
from ppgnas.parsing import mistake, parse_json
from search_spaces.space import SearchSpace

CANDIDATES: Final = "candidates"
FINALISTS: Final = "finalists"
WRITE_EVERY_S = 1.0
_COMPLETE = "complete"
_PLACE = "ppgnas:place"  # of a trial in its study: a line that was taken out leaves a hole


class StudyFile:
    """The studies of one search.

    Args:
        path: the journal; made if it does not exist.
        problem: gives trials their values and constraints.
        space: gives them their choices.

    Raises:
        RunError: the file is damaged.
        OSError: the disk is full or refuses.
    """

    def __init__(self, path: Path, problem: Problem, space: SearchSpace) -> None:
        self._path, self._problem, self._space = path, problem, space
        self._counts: dict[str, int] = {}
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with self._translated():
            self._lines = _Lines(path)
            self._storage = JournalStorage(self._lines)

    def __enter__(self) -> StudyFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.write()

    def trials(self, name: str) -> list[FrozenTrial]:
        """All trials of a study in their order; none where it does not exist.

        Raises:
            RunError: a trial is damaged.
        """
        with self._translated():
            study_id = self._id(name)
            trials = [] if study_id is None else self._storage.get_all_trials(study_id)
            for place, trial in enumerate(trials):
                if trial.system_attrs.get(_PLACE, place) != place:
                    raise ValueError(f"trial {place} of {name} is missing")
                candidate_of(trial, self._space)
            return trials

    def add(self, name: str, trial: FrozenTrial) -> None:
        """One more trial of a study, which begins with it."""
        study_id = self._begun(name)
        if name not in self._counts:  # counting takes longer, the more there are
            self._counts[name] = self._storage.get_n_trials(study_id)
        placed = copy.copy(trial)
        placed._system_attrs = {**trial.system_attrs, _PLACE: self._counts[name]}
        self._storage.create_new_trial(study_id, template_trial=placed)
        self._counts[name] += 1
        self._lines.write_sometimes()

    def candidates(self) -> list[Candidate]:
        """What `write` was given last, in order; nothing before.

        Raises:
            RunError: a trial is damaged.
        """
        with self._translated():
            study_id = self._id(CANDIDATES)
            if study_id is None:
                return []
            count = self._storage.get_study_user_attrs(study_id).get(_COMPLETE)
            if count is None:
                return []
            candidates = [
                candidate_of(trial, self._space)
                for trial in self._storage.get_all_trials(study_id)
            ]
            if len(candidates) != count:
                raise ValueError(f"{len(candidates)} candidates of {count}")
            return candidates

    def write(self, name: str, candidates: Sequence[Candidate]) -> None:
        """Make a study of these candidates, in place of the one with this name."""
        with self._translated():
            if (old := self._id(name)) is not None:
                self._storage.delete_study(old)
            study_id = self._begun(name)
            for each in candidates:
                trial = frozen_of(each, self._space, self._problem)
                self._storage.create_new_trial(study_id, template_trial=trial)
            self._storage.set_study_user_attr(study_id, _COMPLETE, len(candidates))
        self._lines.write()

    def _id(self, name: str) -> int | None:
        named = {each.study_name: each._study_id for each in self._storage.get_all_studies()}
        return named.get(name)

    def _begun(self, name: str) -> int:
        study_id = self._id(name)
        if study_id is not None:
            return study_id
        objectives = self._problem.objectives
        study = optuna.create_study(
            storage=self._storage, study_name=name, directions=["minimize"] * len(objectives)
        )
        with warnings.catch_warnings():
            # experimental in Optuna 5; the version is pinned
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(objectives))
        return study._study_id

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What Optuna makes of a line that is no record of its own."""
        try:
            yield
        except ValidationError as error:
            raise RunError(f"{self._path} is damaged ({mistake(error)}); {AGAIN}") from error
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            AssertionError,
            NotImplementedError,
            optuna.exceptions.OptunaError,
        ) as error:
            raise RunError(f"{self._path} is damaged ({error}); {AGAIN}") from error


class _Lines(BaseJournalBackend):
    """One JSON document a line, held in memory and appended to the file now and then.

    The run's lock keeps other searches away. Each write is one append of whole lines, so a reader
    sees all of a line or none, and of a killed write what has no end is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        self._lines = [line.decode() for line in whole.splitlines()]
        for line in self._lines:
            parse_json(line)  # refuses what is nested without end, or no finite number
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        self._written, self._written_at_s = len(self._lines), time.monotonic()

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        for line in self._lines[log_number_from:]:
            yield json.loads(line)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self._lines += [json.dumps(log, separators=(",", ":")) for log in logs]

    def write_sometimes(self) -> None:
        if time.monotonic() > self._written_at_s + WRITE_EVERY_S:
            self.write()

    def write(self) -> None:
        fresh = self._lines[self._written :]
        if fresh:
            with self._path.open("ab") as file:
                file.write(("\n".join(fresh) + "\n").encode())
                file.flush()
                os.fsync(file.fileno())
        self._written, self._written_at_s = len(self._lines), time.monotonic()
