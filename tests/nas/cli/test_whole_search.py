"""A search from its options to its files, and what other verbs make of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nas.run.folder import RunDir
from tests.nas.cli.leaving import leave, run_json, search_words


def test_a_whole_search(
    fake_training: None, people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    options = search_words(people, "--trials", "30", "--finalists", "2", "--out", out)
    assert leave(*options, "--json") == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["considered"] == 30
    assert document["synthetic"] is True
    models = [item["model"] for item in document["finalists"]]
    assert models == [f"{out}:1", f"{out}:2"]
    assert document["recommended"] in models and document["cautions"]
    for item in document["finalists"]:  # one file, one row; the other file's error beside it
        assert item["file"] == "model.c"
        assert item["mae_bpm"] == item["mae_bpm_c"] and item["mae_bpm_tflite"] > 0
        assert item["mae_bpm_onnx"] > 0 and item["onnx_largest_difference_bpm"] >= 0
    assert "search: done in" in printed.err

    # Once more without --resume: refused, nothing harmed. With it: nothing left to do.
    before = (tmp_path / "run" / "run.toml").read_bytes()
    assert leave(*options) == 2
    assert "holds a finished run, which stays as it is" in capsys.readouterr().err
    assert (tmp_path / "run" / "run.toml").read_bytes() == before
    assert leave("search", "--out", out, "--resume") == 0
    printed = capsys.readouterr()
    assert "is finished already" in printed.err
    assert f"{out}:1" in printed.out
    assert "SYNTHETIC" in printed.out
    head = next(line for line in printed.out.splitlines() if line.lstrip().startswith("model"))
    for column in ("file", "MAE BPM", "other files", "search people", "mJ a reading"):
        assert column in head
    assert f"Recommended: {document['recommended']}" in printed.out
    assert all(f"Caution: {caution}\n" in printed.out for caution in document["cautions"])
    assert "Between readings stm32h743 sleeps at 3 mW (0.495 to 15.2)" in printed.out
    damaged = before.replace(b'board = "stm32h743"', b'board = "\\u0007"')
    assert damaged != before
    (tmp_path / "run" / "run.toml").write_bytes(damaged)
    assert leave("search", "--out", out, "--resume") == 0
    assert "\a" not in capsys.readouterr().out
    (tmp_path / "run" / "run.toml").write_bytes(before)
    assert leave("search", "--out", out, "--resume", "--seed", "3", "--budget", "64KB") == 2
    message = capsys.readouterr().err
    assert "--budget: 81920 in the run, 65536 asked" in message
    assert "--seed: 0 in the run, 3 asked" in message

    # What the other verbs make of it.
    assert leave("score", f"{out}:1", "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert {
        "board",
        "engine",
        "latency_ms",
        "cycles",
        "flash_bytes",
        "sram_bytes",
        "energy_mj",
        "power_mw",
        "in_calibrated_range",
        "layers",
    } <= set(card)
    assert set(card["layers"][0]) >= {"name", "op", "macs", "cycles", "weight_bytes", "live_bytes"}
    assert leave("score", f"{out}:1", "--board", "nrf5340") == 0
    printed = capsys.readouterr()
    assert "stage0.block0.depthwise" in printed.out
    assert re.search(
        r"energy .* mJ \(.* to .*\) a reading, sleep and sensors not counted", printed.out
    )
    assert re.search(r"path .* ms .* of these: front end \d+%, .* smoothing hmm", printed.out)
    assert leave("score", f"{out}:1", "--json", "--budget-scope", "network") == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["path"]["counted"] is False and card["path"]["counted"] is True
    for key in ("latency_ms", "energy_mj"):
        assert alone[key]["value"] + alone["path"][key]["value"] == pytest.approx(
            card[key]["value"]
        )
    assert leave("score", f"{out}:1", "--budget-scope", "all") == 2
    assert "--budget-scope is 'all'; allowed: total, network, model" in capsys.readouterr().err
    assert leave("score", f"{out}:1", "--accelerometer", "12") == 2
    assert "--accelerometer '12' has no unit" in capsys.readouterr().err
    assert re.search(r"sleep .* mW \(.* to .*\) between readings, whatever", printed.out)

    assert leave("evaluate", f"{out}:1", "--data", str(people), "--json") == 0
    printed = capsys.readouterr()
    measured = json.loads(printed.out)
    assert {
        "windows",
        "mae_bpm",
        "mae_bpm_smoothed",
        "median_person_mae_bpm",
        "within_5_bpm",
        "people",
        "arithmetic",
        "smoothing",
        "activities",
    } <= set(measured)
    assert measured["smoothing"] == "hmm" and measured["expected_error_bpm"] > 0
    assert measured["arithmetic"] == "int8"
    assert len(measured["people"]) == 6
    assert "5 of these people trained or ranked this network" in printed.err
    roles = [row["role"] for row in measured["people"].values()]
    assert sorted(roles) == ["report", "search", "train", "train", "train", "train"]
    (unseen,) = [row for row in measured["people"].values() if row["role"] == "report"]
    keys = ("windows", "mae_bpm", "mae_bpm_smoothed")
    assert measured["unseen"] == {"people": 1, **{key: unseen[key] for key in keys}}
    read_series(out, people, tmp_path, capsys)

    assert leave("export", f"{out}:1", "--format", "tflite,onnx", "--out", str(tmp_path)) == 0
    assert (tmp_path / "model.tflite").is_file()
    (tmp_path / "run" / "report.html").unlink()
    assert leave("report", out) == 0
    assert (tmp_path / "run" / "report.html").is_file()


def read_series(
    run: str,
    people: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The bare file with its card beside it, another smoothing, and one recording."""
    file = f"{run}/front/1/model.tflite"
    bare = run_json(capsys, "evaluate", file, "--data", str(people))
    asked = ("evaluate", f"{run}:1", "--data", str(people), "--file", bare["file"])
    measured = run_json(capsys, *asked)
    assert bare.pop("unseen") is None  # nobody knows who trained it
    assert {row.pop("role") for row in bare["people"].values()} == {None}
    told = {key: value for key, value in measured.items() if key != "unseen"}
    for row in told["people"].values():
        del row["role"]
    assert bare == told
    raw = run_json(capsys, "evaluate", file, "--data", str(people), "--smoothing", "none")
    assert raw["mae_bpm_smoothed"] == raw["mae_bpm"] == measured["mae_bpm"]
    clipped = run_json(capsys, "evaluate", file, "--data", str(people), "--smoothing", "clip")
    assert (clipped["smoothing"], clipped["mae_bpm"]) == ("clip", measured["mae_bpm"])
    assert leave("evaluate", file, "--data", str(people), "--smoothing", "x") == 2
    assert "--smoothing is 'x'; allowed: none, clip, hmm" in capsys.readouterr().err

    recording = next((people / "synthetic").glob("*.npz"))
    trace, page = tmp_path / "trace.csv", tmp_path / "trace.html"
    files = ["--out", str(trace), "--plot", str(page)]
    assert leave("predict", f"{run}:1", str(recording), *files) == 0
    assert "12 readings" in capsys.readouterr().out
    assert len(trace.read_text().splitlines()) == 1 + 12
    assert "plotly" in page.read_text()
    document = run_json(capsys, "predict", f"{run}:1", str(recording))
    assert len(document["rows"]) == document["readings"] == 12
    raw = tmp_path / "own.csv"
    rows = (f"2024-05-31T12:{t // 60:02d}:{t % 60:02d}.{h:02d}Z,{(7 * t + h) % 50},0,{h / 99},1"
            for t in range(40) for h in range(0, 100, 4))  # fmt: skip
    raw.write_text("\n".join(["timestamp,ppg,ax,ay,az", *rows]))
    assert leave("predict", f"{run}:1", str(raw)) == 0
    said = capsys.readouterr().err
    assert "own.csv: read as PPG ppg; acceleration ax, ay, az; time timestamp" in said
    assert "own/own (began 2024-05-31T12:00:00.000+00:00): 17 readings" in said
    assert leave("predict", f"{run}:1", str(people)) == 2
    assert "--recording is not given" in capsys.readouterr().err
    trace.unlink()


def test_the_default_folder_moves_on(
    fake_training: None,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    options = search_words(people, "--trials", "12", "--finalists", "1")
    assert leave(*options) == 0
    assert leave(*options) == 0
    assert "results/run holds a finished run; writing to results/run-2" in capsys.readouterr().err
    assert RunDir(Path("results/run-2")).finished
