"""candidates.json and candidates.csv, to the byte, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nas.run.candidates import Candidates
from nas.run.folder import RunDir
from ppgnas.errors import RunError
from tests.nas.run.made import made_candidates

CSV = """\
number,id,feasible,mae_bpm,mae_low_bpm,mae_high_bpm,first_bpm,latency_ms,flash_bytes,sram_bytes,power_mw,energy_mj,weight_bytes,macs,\
path_ms,path_flash_bytes,path_sram_bytes,path_mj,sensors_mw,hypervolume,on_front,finalist
0,b7c2a39a12,True,4.5,3.5,5.5,7.5,0.75,41000,9001,1.25,0.125,3000,150000,0.0,0,0,0.0,0.0,0.25,True,1
1,3f095c7edc,False,,,,,7.5,91000,19000,2.25,1.125,30000,1500000,0.0,0,0,0.0,0.0,0.25,False,
"""
HEAD = (
    '{"format": "ppgnas-candidates", "version": 1, "objectives": ["mae", "latency"], '
    '"budgets": {"flash_bytes": 81920, "latency_ms": null, "sram_bytes": null, "power_mw": null}, '
    '"budget_scope": "total", "board": "stm32h743", "engine": "ppgnas-c", "mode": "window", '
    '"synthetic": true, '
    '"considered": 2, "evaluated": 1, '
    '"reference_point": {"mae_bpm": 30.0, "latency_ms": 10.0}, "candidates": ['
    '{"number": 0, "id": "b7c2a39a12", "arch": {"acceleration": true, "rate_hz": 32, '
)
TAIL = (
    '"pooling": "avg", "head_width": 16, "head_spacing": 3}, "feasible": false, "mae_bpm": null, '
    '"mae_low_bpm": null, "mae_high_bpm": null, "first_bpm": null, '
    '"latency_ms": 7.5, "flash_bytes": 91000, "sram_bytes": 19000, "power_mw": 2.25, '
    '"energy_mj": 1.125, "weight_bytes": 30000, "macs": 1500000, "path_ms": 0.0, '
    '"path_flash_bytes": 0, "path_sram_bytes": 0, "path_mj": 0.0, "sensors_mw": 0.0, '
    '"hypervolume": 0.25, "on_front": false, "finalist": null}]}'
)


def test_the_files_are_what_others_script_against() -> None:
    made = made_candidates()
    text = json.dumps(made.to_json())
    assert text.startswith(HEAD)
    assert text.endswith(TAIL)
    lines = made.to_csv().splitlines()
    known = len(CSV.splitlines()[0].split(","))
    assert [line.split(",")[:known] for line in lines] == [
        line.split(",") for line in CSV.splitlines()
    ]
    choices = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    for row, candidate in zip(choices, made.candidates, strict=True):
        arch = candidate.arch
        assert row["rate_hz"] == str(arch.rate_hz) and row["pooling"] == arch.pooling
        assert row["stage1.width"] == str(arch.stages[1].width)


def test_a_document_comes_back() -> None:
    document = made_candidates().to_json()
    read = Candidates.from_json(json.loads(json.dumps(document)))
    assert read.to_json() == document
    del document["budget_scope"], document["mode"]  # as in runs before there was either
    before = Candidates.from_json(document)
    assert before.budgets.scope == "total" and before.mode == "window"


def test_all_was_the_network_before_what_stands_around_it_was_counted() -> None:
    document = made_candidates().to_json()
    assert Candidates.from_json(document).budgets.scope == "total"
    for row in document["candidates"]:
        for key in [key for key in row if key.startswith(("path_", "sensors_"))]:
            del row[key]
    read = Candidates.from_json(document)
    assert read.budgets.scope == "network"
    assert read.candidates[0].costs.path_flash_bytes == 0


def test_a_document_of_before_the_forecast_is_read() -> None:
    document = made_candidates().to_json()
    for row in document["candidates"]:
        del row["mae_low_bpm"], row["mae_high_bpm"], row["first_bpm"]
    first = Candidates.from_json(document).candidates[0]
    assert (first.mae_bpm, first.mae_low_bpm, first.first_bpm) == (4.5, None, None)


def change(document: Any, path: str, value: object) -> None:
    """Replace what stands under a path, or take it away where the value is `KeyError`."""
    *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in keys:
        document = document[key]
    if value is KeyError:
        del document[last]
    else:
        document[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "other", "format is 'other', version 1; allowed: 'ppgnas-candidates', 1"),
        ("version", 2, "version 2; allowed"),
        ("version", KeyError, "version None; allowed"),
        ("objectives", ["mae", "beauty"], "objectives.1: Input should be 'mae', 'latency', "),
        ("budgets", KeyError, "budgets: "),
        ("budgets", 3, "budgets: "),
        ("board", 3, "board: Input should be a valid string, found 3"),
        ("candidates", [], "candidates: Tuple should have at least 1 item"),
        ("candidates", "none", "candidates: Input should be a valid tuple, found 'none'"),
        ("candidates.1", 7, "candidates.1: "),
        ("candidates.1.number", None, "candidates.1.number: Input should be a valid integer"),
        ("candidates.0.latency_ms", KeyError, "candidates.0.costs.latency_ms: Field required"),
        ("candidates.0.latency_ms", float("nan"), "NaN is no finite number"),
        ("candidates.0.latency_ms", float("inf"), "Infinity is no finite number"),
        ("candidates.0.arch", {"stages": 3}, "candidates.0.arch.acceleration: Field required"),
        ("candidates.0.arch.rate_hz", 33, "arch: rate_hz is 33; allowed: (16, 25, 32, 64)"),
        ("candidates.0.arch.rate_hz", 64, "id is 'b7c2a39a12', and its arch is "),
        ("candidates.0.arch.stages.0.width", 56, "id is 'b7c2a39a12', and its arch is "),
        ("candidates.1.arch.stem_width", 24, "id is '3f095c7edc', and its arch is "),
        ("candidates.1.id", "3f095c7ed4", "id is '3f095c7ed4', and its arch is 3f095c7edc"),
    ],
)
def test_what_a_hand_did_is_named(path: str, value: object, message: str, tmp_path: Path) -> None:
    document = made_candidates().to_json()
    change(document, path, value)
    run = RunDir(tmp_path)
    run.candidates_json.write_text(json.dumps(document))
    with pytest.raises(RunError) as caught:
        run.candidates()
    assert str(caught.value).startswith(f"{run.candidates_json} is damaged (")
    assert message in str(caught.value)
    assert "pass a folder that `ppgnas search` wrote" in str(caught.value)
