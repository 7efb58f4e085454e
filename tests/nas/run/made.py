"""Made-up documents of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from deploy.parity import Parity
from hwmodels.costs import Costs
from nas.run.candidates import Candidate, Candidates
from nas.run.card import (
    Bounds,
    Card,
    CardCosts,
    ErrorsInC,
    ErrorsInOnnx,
    ErrorsInTflite,
    FileFacts,
    Flash,
    InC,
    InOnnx,
    InTflite,
    Layer,
    ReportErrors,
    SearchErrors,
    Sram,
)
from nas.run.config import Budgets, SearchConfig
from nas.run.run_toml import RunDocument
from ppg.people.metrics import ActivityErrors, DataSetErrors, PersonErrors
from ppg.people.split import Split
from ppg.readout.transitions import Transitions
from search_spaces.space import SearchSpace


def run_document(**changes: Any) -> RunDocument:
    """What `run.toml` holds right after a search began."""
    known: dict[str, Any] = {
        "config": SearchConfig(budgets=Budgets(flash_bytes=81920)),
        "version": "0.1.0",
        "command": "ppgnas search --budget 80KB",
        "created": "2026-11-21T02:00:00+00:00",
        "space_size": "7680",
        "synthetic": True,
        "fingerprint": "sha256:12",
        "front_end": "slope-1",
        "recipe": "aligned-1",
        "recordings": 3,
        "people": 3,
        "split": Split(("a/1",), ("a/2",), ("a/3",)),
        "smoothing": Transitions(),
        "versions": {"ppgnas": "0.1.0", "python": "3.11.7"},
    }
    return RunDocument(**{**known, **changes})


def candidates_document(listed: Sequence[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """`candidates.json` of a search for 80 KB of flash."""
    limits = {"flash_bytes": 81920, "latency_ms": None, "sram_bytes": None, "power_mw": None}
    return {
        "format": "ppgnas-candidates",
        "version": 1,
        "objectives": ["mae", "latency", "sram"],
        "budgets": limits,
        "board": "stm32h743",
        "engine": "tflm-cmsis-nn",
        "synthetic": False,
        "considered": len(listed),
        "evaluated": sum(row["mae_bpm"] is not None for row in listed),
        "reference_point": {"mae_bpm": 30.0, "latency_ms": 10.0, "sram_bytes": 60_000},
        "candidates": listed,
        **changes,
    }


def made_candidates() -> Candidates:
    """Two candidates, of which the larger one does not fit."""
    space = SearchSpace.preset("tiny")
    small = Costs(0.75, 41000.4, 9000.6, 1.25, 0.125, 3000, 150000)
    large = Costs(7.5, 91000.0, 19000.0, 2.25, 1.125, 30000, 1500000)
    return Candidates(
        objectives=("mae", "latency"),
        budgets=Budgets(flash_bytes=81920),
        board="stm32h743",
        engine="ppgnas-c",
        synthetic=True,
        reference_point={"mae_bpm": 30.0, "latency_ms": 10.0},
        candidates=(
            Candidate(
                number=0,
                arch=space.smallest(),
                costs=small,
                feasible=True,
                mae_bpm=4.5,
                mae_low_bpm=3.5,
                mae_high_bpm=5.5,
                first_bpm=7.5,
                hypervolume=0.25,
                on_front=True,
                finalist=1,
            ),
            Candidate(1, space.largest(), large, False, None, 0.25),
        ),
    )


def made_card(**changes: Any) -> Card:
    """A finalist, exact in its estimates."""
    layer = Layer("stem", "conv", 1000, 4000, 200, 1024)
    known: dict[str, Any] = {
        "finalist": 1,
        "search_mae_bpm": SearchErrors(inherited=4.5, retrained_int8=3.5),
        "id": SearchSpace.preset("tiny").smallest().id,
        "arch": SearchSpace.preset("tiny").smallest(),
        "synthetic": True,
        "report": made_report({"a/3": 4.0}),
        "costs": CardCosts(
            board="stm32h743",
            engine="ppgnas-c",
            latency_ms=Bounds(0.75, 0.5, 1.0),
            cycles=Bounds(4000, 4000, 4000),
            flash_bytes=Flash(41000, 41000, 41000, 3000, 30000, 8000),
            sram_bytes=Sram(9000, 9000, 9000, 8000, 1000, "stem"),
            energy_mj=Bounds(0.125, 0.125, 0.125),
            power_mw=Bounds(1.25, 1.25, 1.25),
            in_calibrated_range=True,
            layers=(layer,),
        ),
        "weight_bytes": 3000,
        "macs": 150000,
        "parity": Parity(1, 0.99, 0, 1, 0.98, 500),
        "c": InC(4096, "c", {"model.c": "ab"}, ErrorsInC(3.5, 3.0), ErrorsInC(4.0, 3.5)),
        "file": "model.c",
        "tflite": InTflite(ErrorsInTflite(3.25, 2.75), ErrorsInTflite(3.75, 3.25)),
        "onnx": InOnnx(ErrorsInOnnx(3.3, 2.8), ErrorsInOnnx(3.8, 3.3), 12.5),
        "files": {"model.tflite": FileFacts(12000, "ab" * 32)},
        "versions": {"ppgnas": "0.1.0"},
    }
    return Card(**{**known, **changes})


def made_report(people: dict[str, float]) -> ReportErrors:
    """Errors of these MAEs in BPM."""
    mae_bpm = sum(people.values()) / len(people)
    return ReportErrors(
        windows=10 * len(people),
        mae_bpm=mae_bpm,
        mae_bpm_smoothed=0.8 * mae_bpm,
        mae_bpm_low=0.5 * mae_bpm,
        mae_bpm_high=1.5 * mae_bpm,
        median_person_mae_bpm=mae_bpm,
        rmse_bpm=1.2 * mae_bpm,
        mape_percent=mae_bpm,
        within_5_bpm=0.75,
        bias_bpm=0.25,
        limits_bpm=(-4.0, 4.5),
        people={name: PersonErrors(mae, 0.8 * mae, 10) for name, mae in people.items()},
        datasets={"a": DataSetErrors(mae_bpm, 0.8 * mae_bpm, len(people))},
        activities={"rest": ActivityErrors(mae_bpm, 0.8 * mae_bpm, 10, len(people))},
    )


def made_candidate(number: int = 0, mae_bpm: float | None = 2.0, **changes: Any) -> Candidate:
    """A candidate that fits; changes are of it or of its costs."""
    costs = Costs(2.0, 2048.0, 1024.0, 1.0, 0.1, 512, 1000)
    of_costs = {each.name for each in fields(Costs)} & set(changes)
    costs = replace(costs, **{name: changes.pop(name) for name in of_costs})
    known = {"feasible": mae_bpm is not None, "hypervolume": 0.5, **changes}
    return Candidate(
        number=number,
        arch=known.pop("arch", SearchSpace.preset("tiny").smallest()),
        costs=costs,
        mae_bpm=mae_bpm,
        **known,
    )
