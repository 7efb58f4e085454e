"""Options that are lists, and options that cannot act: one message before anything is read."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.hwmodels.small import small_graph
from tests.nas.cli.leaving import leave

EACH_ONCE = "with commas, none empty and each once"


def _said(line: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What stands on stderr of a wrong command line; nothing is printed or written."""
    assert leave(*shlex.split(line)) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and list(folder.iterdir()) == []
    return printed.err


@pytest.mark.parametrize(
    "line",
    [
        "search --budget 80KB --board nrf5340,nrf5340",
        "search --budget 80KB --board nrf5340,",
        "search --budget 80KB --objectives mae,,latency",
        "search --budget 80KB --objectives mae,mae",
        "search --budget 80KB --window 6s,",
        "search --budget 80KB --window 8s,8.0s",
        "search --budget 80KB --channels 1,1",
        "score published:tiny --window ,",
        "rescore run --board nrf5340,nrf5340",
        "rescore run --board ,nrf5340",
        "rescore run --board nrf5340,NRF5340",
        "export published:tiny --format c,c",
        "export published:tiny --format tflite,",
        "data inspect nowhere --channels 1,,2",
        "data convert a.csv out --ppg-column green,green",
        "data convert a.csv out --columns t,,green",
        "predict published:tiny a.csv --acc-columns ax,ay,",
        "bench search --seeds 0,,1",
        "bench search --seeds 0,-1",
        "bench strategies --data x --seeds 1,01",
        "bench records loso --data x --network tiny,tiny",
        "bench records loso --data x --dataset a,",
        "bench records loso --data x --dataset a --train-dataset b,b",
        "bench personalize published:tiny --data x --minutes 1,1.0",
        "bench personalize published:tiny --data x --kind bias,",
    ],
)
def test_a_list_has_no_empty_part_and_none_twice(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    option, given = shlex.split(line)[-2:]
    said = _said(line, tmp_path, capsys)
    assert f"{option} is {given!r}; allowed: " in said and EACH_ONCE in said


def test_what_is_given_several_times_is_given_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for line, named in (
        ("pretrain ppg --data a --data b --data a --out x", "--data is 'a' twice"),
        ("bench personalize m m --data x", "`models` is 'm' twice"),
        ("calibrate --anchor m=3ms --anchor m=3ms", "--anchor is 'm=3ms' twice"),
    ):
        assert f"{named}; give it once" in _said(line, tmp_path, capsys)


@pytest.mark.parametrize(
    ("line", "idle", "why"),
    [
        ("export published:tiny --prefix x", "--prefix", "c alone has it, and --format is tflite"),
        (
            "export published:tiny --format onnx --ppg-hz 64 --fifo 1",
            "--ppg-hz, --fifo",
            "c alone has it, and --format is onnx",
        ),
        ("export published:tiny --mode streaming", "--mode", "c alone has it"),
        (
            "export published:tiny --format c --adapt-minutes 3",
            "--adapt-minutes",
            "--adapt is not given",
        ),
        (
            "search --budget 80KB --student-inputs ppg --acc-hz 32",
            "--acc-hz",
            "the network reads PPG alone",
        ),
        ("search --worker --json", "--json", "the search that leads tells of all"),
        ("evaluate published:tiny --data x --seed 0", "--seed", "--data x is not drawn"),
        (
            "train --teacher-only --teacher resnet-small --data x --out y --board nrf5340",
            "--board",
            "a teacher is trained, and no student",
        ),
        (
            "train --teacher-only --teacher resnet-small --data x --out y --recipe prune-60",
            "--recipe",
            "a teacher is trained, and no student",
        ),
        ("pretrain ppg --data x --out y --space tiny", "--space", "--size is not given"),
        ("data inspect x --each --json", "--each", "--json lists each recording"),
        ("embed m --recording x --hr-column hr", "--hr-column", "embeddings need no labels"),
        (
            "embed m --recording x --lag 1 --rr-column b --hr-is window",
            "--lag, --rr-column, --hr-is",
            "embeddings need no labels",
        ),
        (
            "embed m --recording x --activity-column a --hr-csv b",
            "--activity-column, --hr-csv",
            "embeddings need no labels",
        ),
        (
            "pretrain acc --data x --out y --teacher t --size 8KB --net large",
            "--net",
            "--size says how large",
        ),
        ("bench strategies --data x --distill dkd", "--distill", "the bench compares mixes"),
        (
            "bench records loso --data x --network baseline:wiener --effort quick --seeds 2",
            "--seeds, --effort",
            "baselines are not trained",
        ),
    ],
)
def test_an_option_that_cannot_act_is_refused(
    line: str,
    idle: str,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    said = _said(line, tmp_path, capsys)
    assert f"{idle} cannot act: {why}" in said
    assert said.endswith(f"; leave {'them' if ', ' in idle else 'it'} out\n")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("bench search --seeds=-1", "--seeds is '-1'; allowed: numbers of 0 or more"),
        ("score published:tiny --ppg-channels 9", "--ppg-channels is 9; allowed: 1 to 3"),
        ("search --budget 80KB --finalists 0", "--finalists is 0; it must be at least 1"),
        ("bench ranking --data x --networks 0", "--networks"),
    ],
)
def test_messages_name_options(
    line: str,
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert named in _said(line, tmp_path, capsys)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("published:tiny", "--acc-hz 32 --accelerometer 12uW", ""),
        ("published:tiny-ppg", "--acc-hz 32", "--acc-hz cannot act: published:tiny-ppg reads PPG"),
        ("published:tiny-ppg", "--accelerometer 12uW --ppg-hz 64", "--accelerometer cannot act"),
        ("other.json", "--smoothing clip --acc-hz 32", "--acc-hz, --smoothing cannot act: other"),
    ],
)
def test_what_a_network_does_not_read_is_told_by_score(
    model: str,
    options: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.json").write_text(json.dumps(small_graph(classes=4).to_json()))
    assert leave("score", model, *options.split()) == 0
    told = capsys.readouterr().err
    assert said in told if said else told == ""
