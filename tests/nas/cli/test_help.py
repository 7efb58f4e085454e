"""Help and look-ups."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces.space import SearchSpace
from tests.nas.cli.leaving import ROOT, leave, run_json

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


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(*verb.split(), "--help") == 0
    printed = capsys.readouterr().out
    assert re.search(rf"^  ppgnas {verb}( |$)", printed, re.MULTILINE)


@pytest.mark.parametrize(
    ("verb", "meaning"),
    [
        *((verb, "Time from one reading to the next") for verb in ("search", "score", "rescore")),
        *(
            (verb, "Rows of the file a second")
            for verb in ("predict", "personalize", "embed", "data inspect", "data convert")
        ),
    ],
)
def test_help_says_which_rate_it_is(
    verb: str, meaning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(*verb.split(), "--help") == 0
    options = " ".join(capsys.readouterr().out.split())
    assert re.search(rf"--rate(, --period)? <(str|float)> {meaning}", options)


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("--help") == 0
    printed = capsys.readouterr().out
    listed = re.findall(r"^  (\w+)  ", printed.split("Commands:")[1], re.MULTILINE)
    assert listed == list(dict.fromkeys(verb.split()[0] for verb in VERBS))
    assert leave("--version") == 0


def test_help_and_look_ups_import_nothing_heavy(tmp_path: Path) -> None:
    """Nor does a bench import torch before it has read what it measures."""
    script = (
        "import sys\n"
        "from nas.cli.main import main\n"
        "def left(*words):\n"
        "    try:\n"
        "        main([*words])\n"
        "    except SystemExit as error:\n"
        "        return error.code\n"
        "def loaded(names):\n"
        "    return sorted(set(names.split()) & set(sys.modules))\n"
        "for words in (['--help'], ['search', '--help'], ['boards', 'list']):\n"
        "    left(*words)\n"
        "heavy = loaded('torch optuna plotly jinja2 onnx onnxruntime ai_edge_litert')\n"
        "code = left('bench', 'ranking', '--data', sys.argv[1])\n"
        "print(heavy, code, loaded('torch nas.bench.ranking.run'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.splitlines()[-1] == "[] 2 ['nas.bench.ranking.run']"


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
