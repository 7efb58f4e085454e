"""A made-up run directory with everything that a report reads."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.models.stretches import Stretch, write_stretches
from nas.pareto import hypervolume_share, nondominated
from search_spaces.arch import Arch, StageArch

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
    best = np.empty((0, 3))
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
            point = [mae, costs["latency_ms"], costs["sram_bytes"]]
            seen.append(point)
            best = np.vstack([best, point])
            best = best[nondominated(best)]
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
                "hypervolume": hypervolume_share(best, [30, 100, 60_000]),
                "on_front": False,
                "finalist": None,
            }
        )
    places = [c["number"] for c in result if c["feasible"]]
    for place, front in zip(places, nondominated(np.reshape(seen, (-1, 3))), strict=True):
        result[place]["on_front"] = bool(front)
    return result


def _estimate(value: float, spread: float) -> dict[str, float]:
    return {"value": value, "low": value * (1 - spread), "high": value * (1 + spread)}


def _layers(rng: np.random.Generator, candidate: dict[str, Any]) -> list[dict[str, Any]]:
    names = [("stem.pad", "pad"), ("stem.conv", "conv")]
    for i in range(5):
        names += [
            (f"stage{i // 2}.block{i % 2}.pad", "pad"),
            (f"stage{i // 2}.block{i % 2}.depthwise", "depthwise_conv"),
            (f"stage{i // 2}.block{i % 2}.project", "conv"),
            (f"stage{i // 2}.block{i % 2}.add", "add"),
        ]
    names += [("pool", "avg_pool"), ("head", "fully_connected")]
    share = rng.dirichlet(np.ones(len(names)))
    weighted = {"conv", "depthwise_conv", "fully_connected"}
    return [
        {
            "name": name,
            "op": op,
            "macs": int(candidate["macs"] * part) if op in weighted else 0,
            "cycles": round(candidate["latency_ms"] * 480_000 * part),
            "weight_bytes": int(candidate["weight_bytes"] * part) if op in weighted else 0,
            "live_bytes": int(rng.integers(2_000, 16_000)),
        }
        for (name, op), part in zip(names, share, strict=True)
    ]


def _files(
    candidate: dict[str, Any], report: NDArray[np.float64], *, people: int
) -> dict[str, Any]:
    """What a card says of both files since it names whose errors it holds."""
    mine, search = float(report.mean()), 0.75 * candidate["mae_bpm"]

    def errors(file: str, mae: float) -> dict[str, float]:
        return {f"mae_bpm_{file}": mae, f"mae_bpm_{file}_smoothed": 0.8 * mae}

    return {
        "file": "model.tflite",
        "search_people_mae_bpm": {
            f"bami1/subject{24 + i:02d}": search * (0.7 + 0.6 * i / (people - 1))
            for i in range(people)
        },
        "tflite": {"search": errors("tflite", search), "report": errors("tflite", mine)},
        "c": {
            "scratch_bytes": 4096,
            "rule": "c",
            "sha256": {"model.c": "cd" * 32},
            "search": errors("c", 1.02 * search),
            "report": errors("c", 1.03 * mine),
        },
    }


def _stretch(person: str) -> Stretch:
    rng = np.random.default_rng(7)
    ppg, motion = rng.normal(0, 1, (2, 480)).round(2)
    time_s = tuple(np.arange(8.0, 31.0, 2.0))
    bpm = tuple(rng.uniform(60, 160, len(time_s)).round(1))
    return Stretch(
        person, f"{person}/r1", 34.0, 21.5, 16.0, tuple(ppg), tuple(motion), time_s, bpm, bpm, bpm
    )


def _write_finalist(
    rng: np.random.Generator,
    folder: Path,
    candidate: dict[str, Any],
    *,
    number: int,
    people: list[str],
    windows: int,
    synthetic: bool,
    calibrated: bool,
) -> None:
    folder.mkdir(parents=True)
    mae_bpm = candidate["mae_bpm"]
    retrained = 0.75 * mae_bpm
    errors = {"inherited": 2 * mae_bpm, "retrained_int8": retrained}
    if calibrated:
        ends = {"foretold_low": 0.7 * mae_bpm, "foretold_high": 1.3 * mae_bpm}
        errors |= {"foretold": mae_bpm, **ends}
    rows: list[list[Any]] = []
    scores: dict[str, dict[str, Any]] = {}
    differences = []
    for index, person in enumerate(people):
        scale = retrained * (0.5 + index / max(1, len(people) - 1))
        reference = 100 + 35 * np.sin(np.arange(windows) / 60) + rng.normal(0, 2, windows)
        difference = rng.laplace(0.1 * scale, scale, windows)
        differences.append(difference)
        for step in range(windows):
            bpm = reference[step] + difference[step]
            row = [person, f"{person}/r1", 2.0 * step, reference[step], bpm]
            expected = [scale, 0.8 * scale] if calibrated else []
            rows.append([*row, bpm - 0.2 * difference[step], 3.0, *expected, 0])
        mae = float(np.abs(difference).mean())
        scores[person] = {"mae_bpm": mae, "mae_bpm_smoothed": 0.8 * mae, "windows": windows}
    with (folder / "predictions.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            "person recording start_s reference_bpm bpm bpm_smoothed spread_bpm".split()
            + ["expected_error_bpm", "expected_error_smoothed_bpm"] * calibrated
            + ["activity"]
        )
        writer.writerows(rows)
    if calibrated:
        write_stretches(folder, [_stretch(person) for person in people[:3]])
    maes = np.array([score["mae_bpm"] for score in scores.values()])
    every = np.concatenate(differences)
    datasets: dict[str, list[float]] = {}
    for person, score in scores.items():
        datasets.setdefault(person.split("/")[0], []).append(score["mae_bpm"])
    layers = _layers(rng, candidate)
    weights, total = candidate["weight_bytes"], candidate["flash_bytes"]
    card = {
        "format": "ppgnas-card",
        "version": 1,
        "finalist": number,
        "id": candidate["id"],
        "arch": candidate["arch"],
        "synthetic": synthetic,
        "search_mae_bpm": errors,
        "arithmetic": "int8",
        "report": {
            "windows": len(every),
            "mae_bpm": float(maes.mean()),
            "mae_bpm_smoothed": float(0.8 * maes.mean()),
            "mae_bpm_low": float(maes.mean() * 0.8),
            "mae_bpm_high": float(maes.mean() * 1.3),
            "median_person_mae_bpm": float(np.median(maes)),
            "rmse_bpm": float(np.sqrt((every**2).mean())),
            "mape_percent": float(maes.mean()),
            "within_5_bpm": float((np.abs(every) <= 5).mean()),
            "bias_bpm": float(every.mean()),
            "limits_bpm": [
                float(every.mean() - 1.96 * every.std()),
                float(every.mean() + 1.96 * every.std()),
            ],
            "people": scores,
            "datasets": {
                key: {
                    "mae_bpm": float(np.mean(found)),
                    "mae_bpm_smoothed": 0.8 * float(np.mean(found)),
                    "people": len(found),
                }
                for key, found in datasets.items()
            },
        },
        "costs": {
            "board": "stm32h743",
            "engine": "tflm-cmsis-nn",
            "latency_ms": _estimate(candidate["latency_ms"], 0.15),
            "cycles": _estimate(candidate["latency_ms"] * 480_000, 0.15),
            "flash_bytes": {
                **_estimate(total, 0.06),
                "weights": weights,
                "code": 37_000,
                "runtime": total - weights - 37_000,
            },
            "sram_bytes": {
                **_estimate(candidate["sram_bytes"], 0.04),
                "arena": candidate["sram_bytes"] - 2_000,
                "runtime": 2_000,
                "peak_layer": max(layers, key=lambda layer: layer["live_bytes"])["name"],
            },
            "energy_mj": _estimate(candidate["energy_mj"], 0.2),
            "power_mw": _estimate(candidate["power_mw"], 0.2),
            **({"sleep_mw": {"value": 1.0, "low": 0.02, "high": 16.0}} if calibrated else {}),
            "in_calibrated_range": True,
            "layers": layers,
        },
        "weight_bytes": weights,
        "macs": candidate["macs"],
        **(_files(candidate, maes, people=4) if calibrated else {}),
        "parity": {
            "tflite_max_lsb": number % 2,
            "tflite_rule_max_lsb": 0,
            "onnx_max_lsb": 1,
            "onnx_equal_share": 0.99,
            "windows": 500,
            "tflite_equal_share": 1.0 if number % 2 == 0 else 0.9987,
        },
        "files": {"model.tflite": {"bytes": weights + 9_000, "sha256": "ab" * 32}},
        "versions": {"ppgnas": "0.1.0"},
    }
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


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
    candidates: int = 300,
    finalists: int = 6,
    people: int = 12,
    windows: int = 500,
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
        _write_finalist(
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
    document = {
        "format": "ppgnas-candidates",
        "version": 1,
        "objectives": ["mae", "latency", "sram"],
        "budgets": {
            "flash_bytes": FLASH_BUDGET_BYTES,
            "latency_ms": None,
            "sram_bytes": None,
            "power_mw": None,
        },
        "board": "stm32h743",
        "engine": "tflm-cmsis-nn",
        "synthetic": synthetic,
        "considered": candidates + 900,
        "evaluated": sum(c["feasible"] for c in listed),
        "reference_point": {"mae_bpm": 30.0, "latency_ms": 100.0, "sram_bytes": 60_000},
        "candidates": listed,
    }
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
