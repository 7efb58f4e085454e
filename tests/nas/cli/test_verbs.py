from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import nas.search
from nas.cli.main import main
from nas.run.folder import RunDir
from search_spaces.space import SearchSpace
from tests.nas.fakes import FakeTrainer, write_people

ROOT = Path(__file__).parents[3]
VERBS = (
    "search",
    "score",
    "rescore",
    "evaluate",
    "predict",
    "personalize",
    "pretrain",
    "embed",
    "train",
    "export",
    "verify",
    "report",
    "calibrate",
    "doctor",
    "boards list",
    "boards show",
    "boards check",
    "boards new",
    "engines list",
    "teachers list",
    "data list",
    "data fetch",
    "data inspect",
    "data convert",
    "bench search",
    "bench hwmodels",
    "bench records",
    "bench training",
    "bench ranking",
)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return write_people(tmp_path / "people")


@pytest.fixture
def fake_training(monkeypatch: pytest.MonkeyPatch) -> None:
    search = partial(nas.search.search, make_trainer=FakeTrainer)
    monkeypatch.setattr(nas.search, "search", search)


def leave(*arguments: str) -> int:
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    code = caught.value.code
    assert isinstance(code, int)
    return code


def test_a_whole_search(
    fake_training: None, people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    options = [
        "search",
        "--budget",
        "80KB",
        "--data",
        str(people),
        "--space",
        "tiny",
        "--trials",
        "30",
        "--finalists",
        "2",
        "--out",
        out,
    ]
    assert leave(*options, "--json") == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["considered"] == 30
    assert document["synthetic"] is True
    models = [item["model"] for item in document["finalists"]]
    assert models == [f"{out}:1", f"{out}:2"]
    assert document["recommended"] in models
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
    assert "Between readings stm32h743 sleeps at 3.00 mW (0.49 to 15.20)" in printed.out
    assert leave("search", "--out", out, "--resume", "--seed", "3", "--budget", "64KB") == 2
    message = capsys.readouterr().err
    assert "budgets.flash_bytes: 81920 in the run, 65536 asked" in message
    assert "run.seed: 0 in the run, 3 asked" in message

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


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["search", "--budget", "80"], 2, "--budget '80' has no unit; allowed units: KB"),
        (["search"], 2, "no budget is given"),
        (["search", "--budget", "80KB", "--board", "stm32h7"], 2, "is unknown; known boards"),
        (["search", "--budget", "80KB", "--engine", "x"], 2, "engine 'x' is unknown"),
        (["search", "--budget", "80KB", "--space", "huge"], 2, "space 'huge' is unknown"),
        (["search", "--budget", "80KB", "--sampler", "x"], 2, "--sampler is 'x'; allowed"),
        (["search", "--budget", "80KB", "--data", "nowhere"], 2, "nowhere"),
        (["search", "--budget", "80KB", "--teacher", "x"], 2, "--teacher 'x' is neither"),
        (["search", "--resume"], 2, "holds no run"),
        (["search", "--budget", "5KB", "--space", "tiny"], 3, "--budget stops it: at least"),
        (["search", "--budget", "80KB", "--trials", "many"], 2, "--trials"),
        (["search", "--budgets", "80KB"], 2, "--budget"),
        (["serch"], 2, "serch"),
        (["score", "nothing.json"], 2, "there is no such file"),
        (["export", "results/run:1"], 2, "holds no run"),
        (["evaluate", "published:small", "--data", "x"], 2, "has no weights"),
        (["evaluate", "published:x", "--data", "x"], 2, "network 'x' is unknown; allowed"),
        (["predict", "published:small", "x.npz"], 2, "has no weights"),
        (["train", "nothing.json", "--data", "x", "--out", "y"], 2, "there is no such file"),
        (["train", "published:small", "--data", "x", "--out", "y"], 2, "x: no such folder"),
        (["train", "published:small", "--data", "x", "--out", "y", "--effort", "z"], 2, "'z'"),
        (
            ["train", "published:small", "--data", "x", "--out", "y", "--device", "g"],
            2,
            "--device",
        ),
        (["bench", "records", "loso", "--data", "x"], 2, "x: no such folder"),
        (["bench", "records", "all", "--data", "x"], 2, "protocol 'all' is unknown; allowed"),
        (
            ["bench", "records", "loso", "--data", "x", "--network", "baseline:y"],
            2,
            "baseline 'y' is unknown; allowed: spectral-peak",
        ),
        (["bench", "ranking", "--data", "x"], 2, "x: no such folder"),
        (["bench", "search", "--seeds", "0,x"], 2, "--seeds is '0,x'; allowed: numbers with"),
        (["bench", "search", "--seeds", "1,1"], 2, "--seeds is '1,1'; name one or more, each"),
        (["bench", "search", "--seeds=-1"], 2, "`seed` is -1; allowed: 0 to"),
        (["bench", "search", "--seeds", "0", "--effort", "z"], 2, "--effort is 'z'; allowed"),
        (["bench", "search", "run", "--seeds", "0"], 2, "leave out RUN and --baseline"),
        (["bench", "search", "--data", "x"], 2, "--data is for a contest; name its --seeds"),
        (["bench", "search", "--out", "x"], 2, "--out is for a contest; name its --seeds"),
        (["bench", "search", "--page", "."], 2, "--page . is a folder; name a file, such as"),
        (["report", "nowhere"], 2, "holds no run"),
        (["boards", "show", "esp32"], 2, "board 'esp32' is unknown"),
        (["data", "inspect", "nowhere"], 2, "nowhere"),
    ],
)
def test_a_users_mistake_gets_one_message(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert leave(*arguments) == code
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_message(
    fake_training: None,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    out = str(tmp_path / "run")
    assert leave("search", "--budget", "80KB", "--data", str(people), "--out", out) == 1
    assert "the disk is full. What was written before is whole" in capsys.readouterr().err


def test_the_default_folder_moves_on(
    fake_training: None,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [
        "search",
        "--budget",
        "80KB",
        "--data",
        str(people),
        "--space",
        "tiny",
        "--trials",
        "12",
        "--finalists",
        "1",
    ]
    assert leave(*options) == 0
    assert leave(*options) == 0
    assert "results/run holds a finished run; writing to results/run-2" in capsys.readouterr().err
    assert RunDir(Path("results/run-2")).finished


INTERRUPTED = """
import signal
import sys
from functools import partial
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
import nas.search
from nas.cli.main import main
from tests.nas.fakes import FakeTrainer
nas.search.search = partial(nas.search.search, make_trainer=partial(FakeTrainer, delay_s=0.2))
main(sys.argv[1:])
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_says_how_to_go_on(sent: signal.Signals, people: Path, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            INTERRUPTED,
            "search",
            "--budget",
            "80KB",
            "--space",
            "tiny",
            "--data",
            str(people),
            "--out",
            str(run.path),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline_s = time.monotonic() + 600
    while not run.study.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.send_signal(sent)
    _, printed = process.communicate(timeout=600)
    assert process.returncode == 130
    assert f"Continue with: ppgnas search --out {run.path} --resume" in printed
    assert "Traceback" not in printed


# ---- help -------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(*verb.split(), "--help") == 0
    printed = capsys.readouterr().out
    assert re.search(rf"^  ppgnas {verb}( |$)", printed, re.MULTILINE)


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("--help") == 0
    printed = capsys.readouterr().out
    listed = re.findall(r"^  (\w+)  ", printed.split("Commands:")[1], re.MULTILINE)
    assert listed == list(dict.fromkeys(verb.split()[0] for verb in VERBS))
    assert leave("--version") == 0


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["boards", "list"]])
def test_help_and_look_ups_import_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\n"
        "from nas.cli.main import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = 'torch optuna plotly jinja2 onnx onnxruntime ai_edge_litert'.split()\n"
        "print(sorted(set(heavy) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stderr.strip() == "[]"


# ---- look-ups ---------------------------------------------------------------------------------


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert leave(*arguments, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_boards_and_engines(capsys: pytest.CaptureFixture[str]) -> None:
    boards = run_json(capsys, "boards", "list")["boards"]
    assert boards[0]["name"] == "stm32h743"
    assert run_json(capsys, "boards", "show", "stm32h743") == boards[0]
    engines = run_json(capsys, "engines", "list")["engines"]
    assert engines[0]["name"] == "ppgnas-c"
    for verb in (["boards", "list"], ["boards", "show", "stm32h743"], ["engines", "list"]):
        assert leave(*verb) == 0
        text = capsys.readouterr().out
        assert ("stm32h743" in text) or ("tflm-cmsis-nn" in text)


def test_data_inspect(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "data", "inspect", str(people))["datasets"]
    assert set(found) == {"synthetic"}
    assert (found["synthetic"]["people"], found["synthetic"]["recordings"]) == (6, 6)
    assert found["synthetic"]["usable_windows"] <= found["synthetic"]["windows"]
    assert leave("data", "inspect", str(people)) == 0
    assert "6 of 6" in capsys.readouterr().out


def test_score_of_an_architecture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "arch.json"
    path.write_text(SearchSpace.preset("tiny").smallest().dumps())
    slow = run_json(capsys, "score", str(path), "--board", "nrf52840")
    fast = run_json(capsys, "score", str(path))
    assert slow["latency_ms"]["value"] > fast["latency_ms"]["value"]
    seldom = run_json(capsys, "score", str(path), "--rate", "60s")
    assert seldom["power_mw"]["value"] < fast["power_mw"]["value"]
    assert leave("evaluate", str(path), "--data", "synthetic") == 2
    assert "has no weights" in capsys.readouterr().err
