"""Contests and their networks, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hwmodels.costs import Costs
from nas.bench.search.contest import Contest, SeedResult
from nas.bench.search.sides import NetworkRecord, Side
from nas.explore.problem import Problem
from nas.run.config import Budgets, SearchConfig
from search_spaces.published import TINY
from tests.nas.run.made import run_document

PEOPLE = ("a/1", "a/2")
BOX = {"mae_bpm": 10.0, "latency_ms": 10.0}


def record(
    side: Side,
    latency_ms: float,
    search_bpm: float,
    report_bpm: float | Sequence[float],
    *,
    name: str = "",
    flash_bytes: float = 1000.0,
    fits: bool = True,
    seed: int = 0,
) -> NetworkRecord:
    """One network; different latencies are different architectures."""
    errors = report_bpm if isinstance(report_bpm, Sequence) else [report_bpm] * len(PEOPLE)
    by_person: Mapping[str, float] = dict(zip(PEOPLE, errors, strict=True))
    return NetworkRecord(
        side=side,
        seed=seed,
        name=name,
        arch=replace(TINY, stem_width=int(8 * latency_ms)),
        costs=Costs(latency_ms, flash_bytes, 2000.0, 1.0, 0.1, 500, 1000),
        fits=fits,
        seconds=None if side == "found" else 30.0,
        search_bpm=search_bpm,
        report_bpm=by_person,
        report_smoothed_bpm={who: error / 2 for who, error in by_person.items()},
    )


def contest_of(*seeds: Sequence[NetworkRecord]) -> Contest:
    """One seed a list of records; a box of 10 BPM and 10 ms."""
    results = []
    for number, records in enumerate(seeds):
        config = SearchConfig(budgets=Budgets(flash_bytes=81920), seed=number)
        results.append(SeedResult(run_document(config=config), 60.0, tuple(records)))
    plane = Problem(("mae", "latency"), {}, "total", BOX)
    return Contest(tuple(results), {"MAE, latency": plane})
