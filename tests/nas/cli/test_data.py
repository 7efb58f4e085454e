"""`ppgnas data` as a user meets it."""

from __future__ import annotations

import hashlib
import json
import shlex
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.models.predict import find_recording
from nas.run.folder import RunDir
from ppg.loaders import registry
from ppg.npz.folder import read_folder, write_recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import every_window
from ppgnas.errors import RunError
from tests.nas.cli.leaving import leave
from tests.ppg.loaders import upstream


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert leave("data", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["datasets"]
    assert [one["name"] for one in listed] == [
        "ppg_dalia",
        "wesad",
        "ieee_spc2015",
        "bami",
        "cardiac_rehab",
        "bidmc",
        "welltory",
    ]
    assert leave("data", "list") == 0
    text = capsys.readouterr().out
    assert "ppgnas data fetch ppg_dalia" in text and "CC BY 4.0" in text


@pytest.mark.parametrize("name", ["my data", "anna's", "a;b $(c)"])
def test_commands_that_are_told_can_be_pasted(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / name, tmp_path / name / "out"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = [f"{n / 25:.2f},{rng.normal():.4f}" for n in range(500)]
    (folder / "a.csv").write_text("\n".join(["t,green", *rows]))

    def told(*words: str) -> list[str]:
        code = leave(*words)
        printed = capsys.readouterr()
        command = (printed.err if code else printed.out).rpartition("ppgnas ")[2]
        return shlex.split(command.partition("`")[0])

    assert told("data", "inspect", str(folder)) == ["data", "convert", str(folder), "--guess"]
    assert told("data", "convert", str(folder / "a.csv"), str(out)) == [
        *("predict", "MODEL", str(out / "own" / "a.npz")),
    ]
    person = synthesize(people=1, minutes=1.0)[0]
    write_recording(folder / "b.npz", person)
    assert told("data", "convert", str(folder / "b.npz"), str(folder / "c")) == [
        *("data", "inspect", str(folder / "c")),
    ]
    run = RunDir(folder / "run")
    (run.path / "front" / "1").mkdir(parents=True)
    with pytest.raises(RunError, match="the run is not complete") as caught:
        run.card(1)
    command = str(caught.value).rpartition("`ppgnas ")[2].partition("`")[0]
    assert shlex.split(command) == ["search", "--out", str(run.path), "--resume"]


def test_convert_and_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = upstream.write_dalia(tmp_path, 1, 2, seconds=160)
    out = tmp_path / "out"
    assert leave("data", "convert", str(source), str(out), "--json") == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files == [str(out / "ppg_dalia" / f"S{n}.npz") for n in (1, 2)]
    documents = []
    for folder in (source, out):
        assert leave("data", "inspect", str(folder), "--json") == 0
        documents.append(json.loads(capsys.readouterr().out))
    assert documents[0] == documents[1]
    assert documents[0]["datasets"]["ppg_dalia"]["people"] == 2
    assert leave("data", "inspect", str(out), "--each") == 0
    text = capsys.readouterr().out
    assert "ppg_dalia/S2" in text and "70 to 80" in text and "#" in text
    assert leave("data", "convert", str(source), str(out)) == 2
    assert "is there already (2 such files); nothing was written" in capsys.readouterr().err
    for inside in (source, source / "npz"):
        assert leave("data", "convert", str(source), str(inside)) == 2
        assert "the copies would stand for the originals" in capsys.readouterr().err
    assert not list(source.rglob("*.npz"))
    assert leave("data", "convert", str(source / "S1" / "S1.pkl"), str(tmp_path / "x")) == 2
    assert "a Python pickle, read of data sets alone" in capsys.readouterr().err


def test_convert_with_the_published_clock(tmp_path: Path) -> None:
    source = upstream.write_bami(tmp_path) / "BAMI-1"
    assert leave("data", "convert", str(source), str(tmp_path / "a")) == 0
    assert leave("data", "convert", str(source), str(tmp_path / "b"), "--lag", "0") == 0
    (documented,), (published,) = read_folder(tmp_path / "a"), read_folder(tmp_path / "b")
    assert (documented.window_start_s[0], published.window_start_s[0]) == (-1.5, 0.0)
    assert (documented.label_lag_s, published.label_lag_s) == (-1.5, 0.0)


def _csv(path: Path) -> Path:
    time_s = np.arange(0, 60, 0.02)
    acc = upstream.gravity(50, seed=0)
    ppg = upstream.pulse(50)
    rows = ["t,green,ax,ay,az,hr"]
    rows += [
        f"{t:.2f},{p:.4f},{a[0]:.3f},{a[1]:.3f},{a[2]:.3f},{72 if i % 50 == 0 else ''}"
        for i, (t, p, a) in enumerate(zip(time_s, ppg, acc, strict=True))
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = _csv(tmp_path / "walk.csv"), tmp_path / "out"
    strap = tmp_path / "strap.csv"
    strap.write_text("time,hr\n" + "".join(f"2024-05-31 12:00:{i},72\n" for i in range(10, 60)))
    for other in ("m.mat", "t.csv.bz2"):
        (tmp_path / other).write_bytes(b"\0" * 100)
    options = ["--ppg-column", "green", "--hr-column", "hr", "--time-column", "t"]
    accelerated = [*options, "--acc-columns", "ax,ay,az", "--subject", "anna"]
    assert leave("data", "convert", str(source), str(out), *accelerated) == 0
    (recording,) = read_folder(out)
    assert recording.person == "own/anna" and recording.acc_hz == 50.0
    np.testing.assert_allclose(recording.hr_bpm, 72)
    capsys.readouterr()
    for wrong, said in (
        (
            [str(source), str(out / "x"), "--ppg-column", "green", "--hr-csv", str(strap)],
            "are dates",
        ),
        ([str(strap), str(out / "x")], "a reference (hr) and no PPG"),
        ([str(source), str(out / "x"), "--hr-column", "pulse"], "column 'pulse' is missing"),
        ([str(source)], "OUT is not given"),
        ([str(source), str(out / "x"), *options, "--acc-rate", "50"], "without --acc-csv"),
        ([str(source), str(out / "x"), *options, "--lag", "nan"], "--lag is nan"),
        ([str(out), str(tmp_path / "x"), "--lag", "nan"], "--lag is nan"),
        (
            [str(out), str(tmp_path / "x"), "--rate", "3", "--dataset", "a"],
            "--rate, --dataset is for a",
        ),
        ([str(source), str(out / "x"), *options, "--acc-columns", "ax,ay"], "names 2 columns"),
        ([str(out), str(tmp_path / "x"), *options], "is for a single file"),
        ([str(tmp_path / "none.csv"), str(out / "x"), *options], "no such file"),
        ([str(tmp_path / "m.mat"), str(out / "x"), *options], "m.mat: a MATLAB file of version"),
        (
            [str(tmp_path / "t.csv.bz2"), str(out / "x"), *options],
            "of a kind that ppgnas does",
        ),
        ([str(source), str(source), *options], "are one file"),
    ):
        assert leave("data", "convert", *wrong) == 2
        printed = capsys.readouterr()
        assert said in printed.err and printed.err.count("\n") == 1 and not printed.out


def test_channels_lag_and_drift_are_corrected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    whole = synthesize(people=1, minutes=1.0, seed=3)[0]
    ppg = np.column_stack([whole.ppg[:, 0], -whole.ppg[:, 0]])
    write_recording(source / "r.npz", replace(whole, ppg=ppg))
    options = ["--channels", "1,-2", "--lag", "-0.5", "--drift", "2000"]
    assert leave("data", "convert", str(source), str(out), *options) == 0
    (found,) = read_folder(out)
    np.testing.assert_array_equal(found.ppg[:, 1], found.ppg[:, 0])
    published_s = whole.window_start_s - whole.label_lag_s
    np.testing.assert_allclose(found.window_start_s, published_s * 1.002 - 0.5)
    capsys.readouterr()
    assert leave("data", "inspect", str(source)) == 0
    assert "is channel 1 again, -1 times it" in capsys.readouterr().out
    assert leave("data", "inspect", str(source), "--channels", "1,-2") == 0
    assert "inverted" not in capsys.readouterr().out
    for wrong, said in (
        (["--drift", "1e6"], "--drift is 1e+06; allowed: -50000 to 50000"),
        (["--channels", "3"], "--channels is 3; allowed: numbers from 1 to 2"),
        (["--channels", "red"], "--channels is 'red'; allowed: numbers"),
    ):
        assert leave("data", "convert", str(source), str(tmp_path / "x"), *wrong) == 2
        assert said in capsys.readouterr().err


def test_a_file_without_a_reference_can_be_predicted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = _csv(tmp_path / "walk.csv"), tmp_path / "out"
    options = ["--ppg-column", "green", "--time-column", "t", "--acc-columns", "ax,ay,az"]
    assert leave("data", "convert", str(source), str(out), *options) == 0
    (file,) = out.rglob("*.npz")
    assert f"read it with: ppgnas predict MODEL {file}" in capsys.readouterr().out
    recording = find_recording(str(file))
    assert recording.person == "own/walk" and len(recording.hr_bpm) == 0
    assert len(every_window(recording).usable) == 27
    assert leave("data", "inspect", str(out)) == 0
    said = capsys.readouterr().out
    assert "no reference: own: 1 of 1 recording has no usable reference heart rate" in said
    assert leave("search", "--budget", "80KB", "--data", str(out), "--out", str(out / "run")) == 2
    said = capsys.readouterr().err
    assert f"{out}: no recording of it has a usable reference heart rate" in said
    notes: list[str] = []
    asis = find_recording(str(source), say=notes.append)
    assert asis.usable.any() and asis.ppg.shape == recording.ppg.shape
    assert notes[0].startswith("walk.csv: read as PPG green; acceleration ax, ay, az; heart rate")


def test_fetch_from_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.write_bidmc(tmp_path / "source", 2)
    archive = tmp_path / "bidmc.zip"
    with zipfile.ZipFile(archive, "w") as content:
        for file in (tmp_path / "source" / "bidmc_csv").iterdir():
            content.write(file, f"bidmc-1.0.0/bidmc_csv/{file.name}")
    known = tuple(
        replace(one, sha256=hashlib.sha256(archive.read_bytes()).hexdigest())
        if one.name == "bidmc"
        else one
        for one in registry.DATA_SETS
    )
    out = str(tmp_path / "out")
    assert leave("data", "fetch", "bidmc", "--from", str(archive), "--out", out) == 1
    assert "another version" in capsys.readouterr().err
    monkeypatch.setattr(registry, "DATA_SETS", known)
    assert leave("data", "fetch", "bidmc", "--from", str(archive), "--out", out, "--json") == 0
    printed = capsys.readouterr()
    assert "ODC-BY 1.0" in printed.err and len(json.loads(printed.out)["files"]) == 2
    assert leave("data", "inspect", out) == 0
    assert leave("data", "fetch", "bami") == 2
    assert leave("data", "fetch", "nothing") == 2
    assert "allowed: ppg_dalia" in capsys.readouterr().err


def test_a_users_mistakes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = upstream.write_dalia(tmp_path / "deep" / "er", 1)
    for path, said in (
        (tmp_path / "deep" / "..", "too high above PPG-DaLiA"),
        (folder / "S1", "a folder inside of PPG-DaLiA"),
        (folder / "S1" / "S1.pkl", "a file of a data set is read with the folder"),
    ):
        assert leave("data", "inspect", str(path)) == 2
        printed = capsys.readouterr().err
        assert said in printed and printed.count("\n") == 1
    (folder / "S1" / "S1.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert leave("data", "inspect", str(folder)) == 2
    assert "asks for os.system" in capsys.readouterr().err


@pytest.mark.parametrize("array", ["ppg", "acc", "activity"])
@pytest.mark.parametrize("words", [("inspect",), ("convert",)])
def test_an_array_is_no_option(
    words: tuple[str, ...], array: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ppg` of a file is not --ppg-column, which the verbs have for tables."""
    path = tmp_path / "a" / "p.npz"
    write_recording(path, synthesize(people=1, minutes=0.5, seed=3)[0])
    arrays = dict(np.load(path))
    np.savez_compressed(path, **{**arrays, array: arrays[array].astype(str)})
    more = (str(tmp_path / "out"),) if words == ("convert",) else ()
    assert leave("data", *words, str(path.parent), *more) == 2
    said = capsys.readouterr().err
    assert f"p.npz: '{array}' " in said and "--" not in said


def test_people_who_are_not_known_are_not_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = upstream.write_welltory(tmp_path)
    assert leave("data", "inspect", str(folder), "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["datasets"].values()
    assert row["people_known"] is False
    assert leave("data", "inspect", str(folder)) == 0
    assert f"welltory  unknown           {row['recordings']}" in capsys.readouterr().out
