"""Finalists: chosen from the front, retrained, written as files, read once on report people.

Order: finalist 1 has the lowest int8 MAE on *search* people. Report people choose nothing.

A retrained network is kept in `retrained/ID` as soon as it is there, a finalist in `front/N` when
all its files are; a killed run redoes only what is missing.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from nas.explore.problem import Problem
from nas.explore.study import representatives
from nas.models.folder import Judging, write_model
from nas.run.candidates import Candidate
from nas.run.card import Origin, SearchErrors
from nas.run.documents import read_document
from nas.run.folder import RunDir, new_folder
from nas.run.job.progress import Tick
from ppgnas.errors import RunError
from ppgnas.files import write_json_atomic
from search_spaces.arch import Arch

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from distill.evaluation import Retrained
    from distill.trainer import Trainer


ENTRANTS = 1.5  # networks that are trained half way, in finalists

AHEAD = 1.1
"""A known network stays where it errs less than so many times the best of others: half way errors
deviate by 8 %, and the best of several looks better than it is."""


def entrants(
    candidates: Sequence[Candidate], problem: Problem, count: int, *, known: Sequence[Arch] = ()
) -> list[Candidate]:
    """Up to `ENTRANTS` times `count` of those that were begun: who is trained half way.

    They stand for the front by what is foretold; known networks are among them.

    Returns:
        In the order of picking, the lowest error first; fewer when there is no more to offer.
    """
    begun = _begun(candidates)
    some = [c for c in begun if c.arch in known]
    return representatives(begun, problem, round(ENTRANTS * count), with_them=some[:count])


def choose_finalists(
    candidates: Sequence[Candidate], problem: Problem, count: int, *, known: Sequence[Arch] = ()
) -> list[Candidate]:
    """Up to `count` of those that were begun: what stands for their front, then for the rest's.

    So that nobody is offered less than what is known, each known network is among them, or the
    best that costs no more and is `AHEAD`, for as many of these as leave a quarter to others.

    Returns:
        In the order of picking, the lowest error first.
    """
    begun = _begun(candidates)
    best = [_best_within(each, begun, problem) for each in begun if each.arch in known]
    some = list(dict.fromkeys(best))[: count - max(1, count // 4)]
    chosen = representatives(begun, problem, count, with_them=some)
    while len(chosen) < count and (rest := [c for c in begun if c not in chosen]):
        chosen += representatives(rest, problem, count - len(chosen))
    return chosen


def _begun(candidates: Sequence[Candidate]) -> list[Candidate]:
    return [c for c in candidates if c.feasible and c.first_bpm is not None]


def _best_within(known: Candidate, begun: Sequence[Candidate], problem: Problem) -> Candidate:
    most = problem.objective_values(math.inf, known.costs)
    within = [
        each
        for each in begun
        if all(np.less_equal(problem.objective_values(0.0, each.costs), most))
    ]
    best = min(within, key=lambda each: (each.mae_bpm or math.inf, each.number))
    ahead = AHEAD * (best.mae_bpm or math.inf) <= (known.mae_bpm or math.inf)
    return best if ahead else known


@dataclass(frozen=True)
class Finalist:
    """A retrained network and where it came from; `pruned` is what it became if channels left."""

    candidate: Candidate
    net: QuantizedNet
    search_mae_bpm: float
    inherited_bpm: float | None = None
    pruned: Arch | None = None

    @property
    def arch(self) -> Arch:
        """What the network is."""
        return self.pruned or self.candidate.arch


@dataclass(frozen=True)
class _Result:
    """`result.json` of a retrained network."""

    search_mae_bpm: float
    inherited_bpm: float | None = None
    arch: Any = None


_RESULT = TypeAdapter(_Result)


def retrain_finalists(
    chosen: Sequence[Candidate],
    trainer: Trainer,
    run: RunDir,
    progress: Tick,
    *,
    enough: Callable[[], bool] = lambda: False,
) -> list[Candidate]:
    """Retrain what `retrained/` does not hold yet, and keep each as soon as it is there.

    Returns:
        Those that are retrained: all, or one at least where it is `enough`.
    """
    missing = [c for c in chosen if not is_retrained(run, c)]
    if missing and not (len(missing) < len(chosen) and enough()):
        retrain([c.arch for c in missing], trainer, run, progress, enough=enough)
    done = [c for c in chosen if is_retrained(run, c)]
    lost = [c.arch.id for c in chosen if c not in done]
    if lost and not (done and enough()):
        raise RunError(f"finalists: {', '.join(lost)} were not retrained; continue with `resume`")
    return done


def retrain(
    archs: Sequence[Arch],
    trainer: Trainer,
    run: RunDir,
    progress: Tick,
    *,
    enough: Callable[[], bool] = lambda: False,
) -> None:
    """Retrain networks, those that nobody else does, and keep each in `retrained/`."""
    best_bpm = math.inf

    def tick(done: int, total: int, note: str) -> None:
        so_far = f"{note}, best {best_bpm:.2f} BPM" if best_bpm < math.inf else note
        progress(done, total, so_far)

    def keep(index: int, result: Retrained) -> None:
        nonlocal best_bpm
        best_bpm = min(best_bpm, result.search_mae_bpm)
        arch = archs[index]
        with new_folder(run.retrained / arch.id) as folder:
            result.net.save(folder)
            write_json_atomic(
                folder / "result.json",
                {
                    "id": arch.id,
                    "search_mae_bpm": float(result.search_mae_bpm),
                    "inherited_bpm": trainer.search_mae(arch) if trainer.inherit else None,
                    "arch": result.arch.to_json(),
                },
            )

    trainer.retrain_many(archs, tick, keep, enough=enough)


def is_retrained(run: RunDir, candidate: Candidate) -> bool:
    """Whether `retrained/` holds the network of a candidate."""
    return (run.retrained / candidate.arch.id / "result.json").is_file()


def ranked(chosen: Sequence[Candidate], run: RunDir) -> list[Finalist]:
    """The retrained networks, lowest int8 MAE on search people first."""
    from deploy.integers.quantized import QuantizedNet

    finalists = []
    for candidate in chosen:
        folder = run.retrained / candidate.arch.id
        result = read_document(folder / "result.json", _RESULT.validate_python)
        net = QuantizedNet.load(folder)
        arch = candidate.arch if result.arch is None else Arch.from_json(result.arch)
        pruned = None if arch == candidate.arch else arch
        errors = result.search_mae_bpm, result.inherited_bpm
        finalists.append(Finalist(candidate, net, *errors, pruned))
    return sorted(finalists, key=lambda f: (f.search_mae_bpm, f.candidate.number))


def write_finalists(
    finalists: Sequence[Finalist],
    judging: Judging,
    *,
    run: RunDir,
    progress: Tick,
    threads: int = 1,
) -> None:
    """Write `front/N` of every finalist that is not complete, so many side by side.

    Raises:
        ExportError: a TFLite file does not equal the integer reference in LiteRT's rounding.
        OSError: the disk is full; finalists written before are whole.
    """

    def write(number: int) -> None:
        finalist = finalists[number - 1]
        if number not in run.finalists() or run.card(number).id != finalist.arch.id:
            with new_folder(run.finalist(number)) as folder:
                _write_finalist(folder, number, finalist, judging)

    numbers = range(1, len(finalists) + 1)
    with ThreadPoolExecutor(threads) as team:  # numpy and runtimes leave the interpreter's lock
        for number, _ in zip(numbers, team.map(write, numbers), strict=True):
            progress(number, len(finalists), f"finalist {number}")
    for number in run.finalists():
        if number > len(finalists):
            shutil.rmtree(run.finalist(number))


def _write_finalist(folder: Path, number: int, finalist: Finalist, judging: Judging) -> None:
    write_model(
        folder,
        finalist.net,
        finalist.arch,
        judging=judging,
        origin=Origin(
            finalist=number,
            search_mae_bpm=SearchErrors(
                inherited=finalist.inherited_bpm,
                foretold=finalist.candidate.mae_bpm,
                foretold_low=finalist.candidate.mae_low_bpm,
                foretold_high=finalist.candidate.mae_high_bpm,
                retrained_int8=finalist.search_mae_bpm,
            ),
        ),
    )
