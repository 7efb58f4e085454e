"""Finalists: chosen from the front, retrained, written as files, read once on report people.

Order: finalist 1 has the lowest int8 MAE on *search* people. Report people choose nothing.

A retrained network is kept in `retrained/ID` as soon as it is there, a finalist in `front/N` when
all its files are; a killed run redoes only what is missing.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.explore.problem import Problem
from nas.explore.study import front_of
from nas.models.backend import Trainer
from nas.models.folder import Judging, write_model
from nas.pareto import pick_spread
from nas.run.candidates import Candidate
from nas.run.card import Origin, SearchErrors
from nas.run.documents import read_document
from nas.run.folder import RunDir, new_folder
from nas.run.progress import Tick
from ppgnas.errors import RunError
from ppgnas.files import write_json_atomic

if TYPE_CHECKING:
    from deploy.integers.quantized import QuantizedNet
    from distill.evaluation import Retrained


CLEARLY_LARGER = 2  # times the MAC of the best of the front; below it are its neighbours


def choose_finalists(
    candidates: Sequence[Candidate], problem: Problem, count: int
) -> list[Candidate]:
    """Up to `count`: a quarter from the front, spread by hypervolume; for the rest see `larger`.

    The lowest inherited MAE is always among them. The front gives more where there are fewer
    larger networks.

    Returns:
        In the order of picking, larger networks last; fewer when there is no more to offer.
    """
    front = front_of(list(candidates), problem)
    judged = [(c, c.mae_bpm) for c in front if c.mae_bpm is not None]
    if not judged:
        return []
    values = [problem.objective_values(mae_bpm, c.costs) for c, mae_bpm in judged]
    best = min(range(len(judged)), key=lambda index: (judged[index][1], judged[index][0].number))
    picked = pick_spread(values, problem.reference_values, count, include=[best])
    chosen = [judged[index][0] for index in picked]
    of_front = math.ceil(count / 4)
    further = larger(candidates, CLEARLY_LARGER * judged[best][0].costs.macs, count - of_front)
    further = [candidate for candidate in further if candidate not in chosen]
    return [*chosen[: count - len(further)], *further]


def larger(candidates: Sequence[Candidate], macs: int, count: int) -> list[Candidate]:
    """The lowest inherited MAE in each of `count` classes of size above `macs`, largest first.

    A supernet that was trained for minutes under-rates its large networks: they inherit weights
    that need more steps. So the front of inherited MAE ends at small networks, while after
    retraining the larger ones that fit the budgets are the more accurate ones: the eight finalists
    of results/reference/third_search.md stand in the order of their weights, but for one of them.

    Args:
        candidates: of a search.
        macs: multiply-accumulates where the classes begin; they end at the largest candidate's.
        count: classes, of equal width in log MAC.
    """
    judged = [c for c in candidates if c.feasible and c.mae_bpm is not None]
    most = max((c.costs.macs for c in judged), default=0)
    if count < 1 or most <= macs:
        return []
    found: dict[int, Candidate] = {}
    width = math.log(most / macs) / count
    for candidate in judged:
        if candidate.costs.macs <= macs:
            continue
        size = min(int(math.log(candidate.costs.macs / macs) / width), count - 1)
        known = found.get(size)
        if known is None or (candidate.mae_bpm, candidate.number) < (known.mae_bpm, known.number):
            found[size] = candidate
    return [found[size] for size in sorted(found, reverse=True)]


@dataclass(frozen=True)
class Finalist:
    """A retrained network and where it came from."""

    candidate: Candidate
    net: QuantizedNet
    search_mae_bpm: float


def retrain_finalists(
    chosen: Sequence[Candidate], trainer: Trainer, run: RunDir, progress: Tick
) -> None:
    """Retrain what `retrained/` does not hold yet, and keep each as soon as it is there."""
    missing = [c for c in chosen if not is_retrained(run, c)]
    if not missing:
        return

    def keep(index: int, result: Retrained) -> None:
        candidate = missing[index]
        with new_folder(run.retrained / candidate.arch.id) as folder:
            result.net.save(folder)
            write_json_atomic(
                folder / "result.json",
                {"id": candidate.arch.id, "search_mae_bpm": float(result.search_mae_bpm)},
            )

    trainer.retrain_many([c.arch for c in missing], progress, keep)
    lost = [c.arch.id for c in missing if not is_retrained(run, c)]
    if lost:
        raise RunError(f"finalists: {', '.join(lost)} were not retrained; continue with `resume`")


def is_retrained(run: RunDir, candidate: Candidate) -> bool:
    """Whether `retrained/` holds the network of a candidate."""
    return (run.retrained / candidate.arch.id / "result.json").is_file()


def ranked(chosen: Sequence[Candidate], run: RunDir) -> list[Finalist]:
    """The retrained networks, lowest int8 MAE on search people first."""
    from deploy.integers.quantized import QuantizedNet

    finalists = []
    for candidate in chosen:
        folder = run.retrained / candidate.arch.id
        error = read_document(folder / "result.json", lambda plain: float(plain["search_mae_bpm"]))
        finalists.append(Finalist(candidate, QuantizedNet.load(folder), error))
    return sorted(finalists, key=lambda f: (f.search_mae_bpm, f.candidate.number))


def write_finalists(
    finalists: Sequence[Finalist],
    judging: Judging,
    *,
    run: RunDir,
    progress: Tick,
) -> None:
    """Write `front/N` of every finalist that is not complete.

    Raises:
        ExportError: a TFLite file does not equal the integer reference in LiteRT's rounding.
        OSError: the disk is full; finalists written before are whole.
    """
    for index, finalist in enumerate(finalists):
        number = index + 1
        if number not in run.finalists() or run.card(number).id != finalist.candidate.arch.id:
            with new_folder(run.finalist(number)) as folder:
                _write_finalist(folder, number, finalist, judging)
        progress(number, len(finalists), f"finalist {number}")
    for number in run.finalists():
        if number > len(finalists):
            shutil.rmtree(run.finalist(number))


def _write_finalist(folder: Path, number: int, finalist: Finalist, judging: Judging) -> None:
    write_model(
        folder,
        finalist.net,
        finalist.candidate.arch,
        judging=judging,
        origin=Origin(
            finalist=number,
            search_mae_bpm=SearchErrors(
                inherited=finalist.candidate.mae_bpm, retrained_int8=finalist.search_mae_bpm
            ),
        ),
    )
