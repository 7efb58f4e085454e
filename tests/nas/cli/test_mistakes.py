"""A mistake, a full disk, Ctrl-C: one message that says what to do."""

from __future__ import annotations

import errno
import os
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import nas.search
from distill.training.jobs import new_processes
from nas.cli.main import main
from nas.run.folder import RunDir
from tests.nas.cli.leaving import leave, search_words
from tests.nas.fakes import FakeTrainer


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
        (["bench", "search", "--seeds", "0,x"], 2, "--seeds is '0,x'; allowed: numbers of"),
        (["bench", "search", "--seeds", "1,1"], 2, "--seeds is '1,1'; allowed: numbers of"),
        (["bench", "search", "--seeds", "0", "--effort", "z"], 2, "--effort is 'z'; allowed"),
        (["bench", "search", "run", "--seeds", "0"], 2, "leave out RUN"),
        (["bench", "search", "--data", "x"], 2, "--data is for a contest; name its --seeds"),
        (["bench", "search", "--out", "x"], 2, "--out is for a contest; name its --seeds"),
        (["bench", "search", "run", "--page", "x.md"], 2, "--page is for a contest; name its"),
        (["bench", "search", "--page", "."], 2, "--page . is a folder; name a file, such as"),
        (["bench", "deploy", "--out", "."], 2, "--out . is a folder; name a file, such as ./dep"),
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


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench", "hwmodels", "--out", "own.txt/page.md"],
        ["bench", "deploy", "--out", "own.txt/page.md"],
        ["bench", "search", "--page", "own.txt/there/page.md"],
        ["bench", "ranking", "--data", "x", "--out", "own.txt"],
        ["bench", "records", "loso", "--data", "x", "--network", "tiny", "--out", "own.txt"],
        ["data", "fetch", "bidmc", "--out", "own.txt/there"],
        ["data", "convert", "synthetic", "own.txt"],
        ["search", "--budget", "80KB", "--data", "synthetic", "--out", "own.txt/run"],
    ],
)
def test_a_file_where_a_folder_is_to_be_is_named_at_once(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.txt").write_text("mine")
    assert leave(*arguments) == 2
    assert "own.txt is a file; name a folder" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in Path().iterdir()] == [("own.txt", "mine")]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "the disk is full. What was written before is whole"),
        (errno.EDQUOT, "the quota of disk space is used up. What was written before is whole"),
        (errno.EFBIG, "grew beyond what the disk or `ulimit -f` allows. What was written before"),
    ],
)
def test_a_full_disk_is_one_message(
    code: int,
    said: str,
    fake_training: None,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    out = str(tmp_path / "run")
    assert leave("search", "--budget", "80KB", "--data", str(people), "--out", out) == 1
    assert said in capsys.readouterr().err


def interrupted(words: list[str], printed: Path) -> None:
    """A slow search, in a process of its own."""
    nas.search.search = partial(nas.search.search, make_trainer=partial(FakeTrainer, delay_s=0.2))
    sys.stderr = printed.open("w", buffering=1)
    main(words)


def test_an_interrupt_says_how_to_go_on(people: Path, tmp_path: Path) -> None:
    run, told = RunDir(tmp_path / "run"), tmp_path / "told"
    words = search_words(people, "--out", str(run.path))
    process = new_processes().Process(target=interrupted, args=(words, told))
    process.start()
    deadline_s = time.monotonic() + 600
    while not run.study.exists():
        assert process.is_alive()
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.terminate()  # Ctrl-C: nas/run/job/test_interrupt.py
    process.join(600)
    printed = told.read_text()
    assert process.exitcode == 130
    assert f"Continue with: ppgnas search --out {run.path} --resume" in printed
    assert "Traceback" not in printed
