"""A made-up finalist of a run: card, predictions, worst stretches."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.models.stretches import STRETCHES, Stretch
from nas.run.documents import write_rows


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


def write_finalist(
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
        write_rows(folder, STRETCHES, [_stretch(person) for person in people[:3]])
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
