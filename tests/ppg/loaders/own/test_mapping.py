"""`recordings.toml`: written for a folder of files, read back, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.models.predict import find_recording
from ppg.loaders.forms import guess_mapping, read_own
from ppg.loaders.own.clocks import one_moment
from ppg.loaders.own.mapping import read_mapping
from ppg.npz.folder import read_folder
from ppgnas.errors import DataError
from tests.nas.cli.leaving import leave
from tests.ppg.loaders.own.test_raw_forms import (
    ALONE,
    INTERVALS,
    POLAR,
    PPG,
    TIME_S,
    TWO_PEOPLE,
    UNIX,
)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two people with a strap each, and files that belong to nobody."""
    folder = tmp_path / "study"
    folder.mkdir()
    for who, sign in (("anna", 1), ("ben", -1)):
        rows = [f"{UNIX + t:.2f},{sign * p:.0f}" for t, p in zip(TIME_S, PPG, strict=True)]
        (folder / f"{who}_walk_ppg.csv").write_text("\n".join(["t,green", *rows]))
        (folder / f"{who}_walk_rr.txt").write_text(
            "rr\n" + "\n".join(f"{1000 * interval:.0f}" for interval in INTERVALS)
        )
    (folder / "readme.txt").write_text("nothing to see")
    (folder / "photo.csv").write_bytes(b"\x89PNG\0\0\1\2")
    (folder / "lonely_polar.txt").write_text("Phone timestamp;RR-interval [ms]\n" + POLAR)
    return folder


def test_a_folder_of_files_in_two_commands(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave("data", "convert", str(study), "--guess") == 0
    printed = capsys.readouterr()
    assert "2 recordings in" in printed.out and "check who is who" in printed.out
    assert "photo.csv is left out: " in printed.err
    assert "lonely_polar.txt is left out: it goes with no file of a PPG" in printed.err
    text = (study / "recordings.toml").read_text()
    assert 'dataset = "study"\nppg = ["green"]\ntime = "t"\n' in text
    assert 'file = "anna_walk_ppg.csv"\nsubject = "anna"\nhr_file = "anna_walk_rr.txt"' in text
    out = tmp_path / "out"
    assert leave("data", "convert", str(study), str(out)) == 0
    recordings = read_folder(out)
    assert [r.person for r in recordings] == ["study/anna", "study/ben"]
    assert all(r.usable.sum() >= 40 for r in recordings)
    found = find_recording(str(study), name="ben_walk_ppg")
    assert found.person == "study/ben" and found.started.startswith("2024-05-27T08:53:20")
    assert leave("data", "convert", str(study), "--guess") == 2
    assert "recordings.toml is there already" in capsys.readouterr().err
    assert leave("data", "convert", str(study), str(tmp_path / "x"), "--rate", "50") == 2
    assert "says how its files are read" in capsys.readouterr().err


def test_a_column_of_people_needs_no_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file in it can be read .*; name the folder that"):
        guess_mapping(tmp_path, say=lambda _: None)
    (tmp_path / "all.csv").write_text("subject,activity,t,green,hr\n" + TWO_PEOPLE)
    text, count = guess_mapping(tmp_path, say=lambda _: None)
    assert count == 1 and 'subject_column = "subject"' in text and "\nsubject =" not in text
    (tmp_path / "recordings.toml").write_text(text)
    said: list[str] = []
    recordings = read_own(tmp_path, say=said.append)
    assert [r.subject for r in recordings] == ["anna", "ben"]
    assert {r.dataset for r in recordings} == {tmp_path.name}


def test_two_files_alone_in_a_folder_go_together(tmp_path: Path) -> None:
    for who in ("anna", "ben"):
        (tmp_path / who).mkdir()
        (tmp_path / who / "wristband_7.csv").write_text(ALONE)
        (tmp_path / who / "h10_session.csv").write_text("rr\n800\n810\n790")
    (tmp_path / "ben" / "h10_second.csv").write_text("rr\n800\n810\n790")
    said: list[str] = []
    text, _ = guess_mapping(tmp_path, say=said.append)
    assert text.count("hr_file =") == 1 and 'hr_file = "anna/h10_session.csv"' in text
    assert len(said) == 3 and "though its name does not say so" in said[0]


def test_files_of_one_name_and_links_that_lead_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = tmp_path / "study"
    for who in ("anna", "ben"):
        (study / who).mkdir(parents=True)
        (study / who / "ppg.csv").write_text(ALONE)
    (study / "anna" / "back").symlink_to(study, target_is_directory=True)
    (study / "anna" / "odd\x7f.csv").write_text(ALONE)
    assert leave("data", "convert", str(study), "--guess", "--hr-column", "hr", "--lag", "1") == 2
    assert "--lag, --hr-column given beside --guess, which" in capsys.readouterr().err
    assert leave("data", "convert", str(study), "--guess") == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("2 recordings in ")
    assert "'anna/odd\\x7f.csv' is left out: its name is no plain text" in printed.err
    assert leave("data", "convert", str(study), str(tmp_path / "out")) == 0
    assert sorted(p.name for p in (tmp_path / "out" / "study").iterdir()) == [
        "anna_ppg.npz",
        "ben_ppg.npz",
    ]
    assert "2 recordings, each without a reference" in capsys.readouterr().out


@pytest.mark.parametrize("read", ["31.05.24", "09.05.24", "24/05/31", "31/05/24", "05/31/24"])
def test_years_of_two_digits_where_the_others_can_be_none(read: str) -> None:
    day = "2024-05-09" if read.startswith("09") else "2024-05-31"
    assert one_moment(f"{read} 14:05:09") == one_moment(f"{day}T14:05:09") != (0.0, "zero")


@pytest.mark.parametrize("read", ["05/06/24", "24-05-25", "24.31.05"])
def test_years_of_two_digits_that_may_be_days_are_refused(read: str) -> None:
    assert one_moment(read) == (0.0, "zero")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[recording", "no mapping file"),
        ("", "'recording' is NoneType; allowed: a [[recording]] table for each recording"),
        ("recording = []", "names no recording"),
        ('[[recording]]\nfile = "a.csv"\nrate = 3', "has the key 'rate'; allowed: file"),
        ('[[recording]]\nfile = "a.csv"\nhz_file = "b"', "Is 'hr_file' meant?"),
        ('ppg = "green"\n[[recording]]\nfile = "a.csv"', "has ppg = 'green'; allowed: a list"),
        ('[[recording]]\nfile = "a.csv"\nlag_s = "1"', "has lag_s = '1'; allowed: a number"),
        ('[[recording]]\nsubject = "a"', "recording 1 (no file) has no `file`"),
        ('[[recording]]\nfile = "none.csv"', "recording 1 (none.csv): no such file: none.csv"),
        ('[[recording]]\nfile = "a.csv"\nrate_hz = 3', "`rate_hz` is 3; allowed: 10.5 or more"),
        ('[[recording]]\nfile = "a.csv"\nhr = "a"\nrr = "b"', "`hr` and `rr` are given"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ALONE)
    (tmp_path / "recordings.toml").write_text(text)
    with pytest.raises(DataError) as caught:
        read_mapping(tmp_path / "recordings.toml")
    assert said in str(caught.value) and str(tmp_path) in str(caught.value)
