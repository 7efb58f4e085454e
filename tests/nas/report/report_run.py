"""A made-up run directory with everything that a report reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nas.pareto import hypervolume_share, nondominated
from search_spaces.arch import Arch, StageArch
from tests.nas.report.made_finalist import write_finalist
from tests.nas.run.made import candidates_document

FLASH_BUDGET_BYTES = 81920
ODD_NAMES = (
    "<script>alert(1)</script>",
    'Zoë "Z" O\'Neil, jr.',
    "名前\u202eevil",
    "</script><img src=x onerror=alert(2)>",
    "line\nbreak & <b>bold</b>",
    "",
    "a" * 90,
)


def _arch(rng: np.random.Generator) -> Arch:
    stages = tuple(
        StageArch(
            depth=int(rng.integers(1, 4)),
            width=int(rng.integers(2, 17)) * 4,
            kernel=int(rng.choice([3, 5, 7])),
            dilation=int(rng.choice([1, 2, 4])),
            expansion=int(rng.choice([1, 2])),
            stride=int(rng.choice([1, 2])),
            residual=bool(rng.integers(0, 2)),
        )
        for _ in range(3)
    )
    return Arch(
        acceleration=bool(rng.integers(0, 4)),
        rate_hz=int(rng.choice([16, 25, 32, 64])),
        stem_width=int(rng.integers(2, 9)) * 4,
        stem_kernel=int(rng.choice([5, 7, 9])),
        stages=stages,
        pooling="avg",
        head_width=int(rng.choice([0, 32, 64])),
    )


def _candidates(rng: np.random.Generator, count: int) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = []
    seen: list[list[float]] = []
    best, share = np.empty((0, 3)), 0.0
    for number in range(count):
        arch = _arch(rng)
        weights = sum(s.depth * s.expansion * s.width * (s.width + s.kernel) for s in arch.stages)
        weights += 180 * (arch.head_width or arch.stages[-1].width) + 600
        macs = weights * 16 * arch.rate_hz // 32
        flash = weights + 42_000 + 400 * sum(s.depth for s in arch.stages)
        feasible = flash <= FLASH_BUDGET_BYTES
        costs = {
            "latency_ms": macs / 90_000 + 0.3,
            "flash_bytes": flash,
            "sram_bytes": 6_000 + 130 * max(s.width for s in arch.stages) + 40 * arch.rate_hz,
        }
        mae = 1.2 + 12 * np.exp(-np.log10(weights)) * 3 + float(rng.exponential(0.8))
        if number % 29 == 7:
            mae += 12
        if feasible:
            seen.append([mae, costs["latency_ms"], costs["sram_bytes"]])
            both = np.vstack([best, seen[-1]])
            on_front = nondominated(both)
            if on_front[-1]:
                best = both[on_front]
                share = hypervolume_share(best, [30, 100, 60_000])
        result.append(
            {
                "number": number,
                "id": arch.id,
                "arch": arch.to_json(),
                "feasible": feasible,
                "mae_bpm": mae if feasible else None,
                "mae_low_bpm": 0.8 * mae if feasible else None,
                "mae_high_bpm": 1.25 * mae if feasible else None,
                "first_bpm": 2 * mae if feasible and number % 3 == 0 else None,
                **costs,
                "power_mw": 0.7 + costs["latency_ms"] * 0.06,
                "energy_mj": costs["latency_ms"] * 0.12,
                "weight_bytes": weights,
                "macs": macs,
                "hypervolume": share,
                "on_front": False,
                "finalist": None,
            }
        )
    places = [c["number"] for c in result if c["feasible"]]
    for place, front in zip(places, nondominated(np.reshape(seen, (-1, 3))), strict=True):
        result[place]["on_front"] = bool(front)
    return result


RUN_TOML = """
[run]
format = "ppgnas-run"
command = "ppgnas search --budget 80KB --data recordings --out results/run"
seed = 7
version = "0.1.0"
created = "2026-11-21T02:00:00+00:00"
[search]
space = "default"
trials = {trials}
sampler = "nsga2"
objectives = ["mae", "latency", "sram"]
finalists = 8
effort = "standard"
teacher = "resnet-small"
space_size = "7680"
[budgets]
flash_bytes = 81920
scope = "total"
[target]
board = "stm32h743"
engine = "tflm-cmsis-nn"
period_s = 2.0
[data]
source = "recordings"
synthetic = {synthetic}
fingerprint = "sha256:9b1c44f0a2"
recordings = 60
people = 40
[split]
train = {train}
search = {search}
report = {report}
[versions]
python = "3.11.7"
torch = "2.13.0"
optuna = "5.0.0"
[time_s]
teacher = 210.5
supernet = 701.25
search = 96.0
finalists = 402.0
total = 1410.0
"""


def make_run(
    path: Path,
    *,
    candidates: int = 150,
    finalists: int = 6,
    people: int = 12,
    windows: int = 200,
    synthetic: bool = False,
    calibrated: bool = True,
    names: tuple[str, ...] = (),
    seed: int = 0,
) -> Path:
    """Write a run directory; `names` replace the first report people's names.

    Without `calibrated` its predictions and candidates are those of an older version.

    Returns:
        `path`.
    """
    rng = np.random.default_rng(seed)
    listed = _candidates(rng, candidates)
    for row in () if calibrated else listed:
        del row["mae_low_bpm"], row["mae_high_bpm"], row["first_bpm"]
    who = [f"{'bami2' if i % 3 else 'ieee_spc2015'}/subject{i:02d}" for i in range(people)]
    who = [*names, *who][:people]
    front = sorted((c for c in listed if c["on_front"]), key=lambda c: c["mae_bpm"])
    chosen = front[:: max(1, len(front) // max(1, finalists))][:finalists]
    for number, candidate in enumerate(chosen, start=1):
        candidate["finalist"] = number
        write_finalist(
            rng,
            path / "front" / str(number),
            candidate,
            number=number,
            people=who,
            windows=windows,
            synthetic=synthetic,
            calibrated=calibrated,
        )
    path.mkdir(parents=True, exist_ok=True)
    document = candidates_document(
        listed,
        synthetic=synthetic,
        considered=candidates + 900,
        reference_point={"mae_bpm": 30.0, "latency_ms": 100.0, "sram_bytes": 60_000},
    )
    (path / "candidates.json").write_text(json.dumps(document), encoding="utf-8")
    toml = RUN_TOML.format(
        trials=candidates,
        synthetic=str(synthetic).lower(),
        train=json.dumps([f"bami1/subject{i:02d}" for i in range(24)]),
        search=json.dumps([f"bami1/subject{i:02d}" for i in range(24, 30)]),
        report=json.dumps(who),
    )
    (path / "run.toml").write_text(toml, encoding="utf-8")
    return path
