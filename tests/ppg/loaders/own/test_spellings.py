"""Dates, clocks, rates and numbers as they are written, and what is wrong with a form."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppg.loaders.own.columns import guess
from ppg.loaders.own.text import read_columns, read_text
from ppgnas.errors import DataError
from tests.nas.cli.leaving import leave
from tests.ppg.loaders.devices.made import zipped
from tests.ppg.loaders.own.raw import (
    AXES,
    BEATS,
    HR,
    HZ,
    NOON,
    PPG,
    SECONDS,
    TIME_S,
    Form,
    check,
    columns,
    converted,
    hr,
    iso,
    ppg,
    rows,
)


def test_what_is_wrong_with_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = columns("1,2", every=HZ, t=lambda i: str(i), p=ppg)
    (tmp_path / "bare.csv").write_text(bare)
    (tmp_path / "cut.gz").write_bytes(gzip.compress(bare.encode())[:-20])
    (tmp_path / "cut.json").write_text('[{"t": 1, "ppg"')
    (tmp_path / "none.json").write_text("[1, 2]")
    deep = {"ppg": 1}
    for _ in range(10):
        deep = {"in": deep}  # type: ignore[dict-item]
    (tmp_path / "deep.json").write_text(json.dumps([deep]))
    (tmp_path / "two.zip").write_bytes(zipped({"a.csv": bare, "b.csv": bare}))
    (tmp_path / "none.zip").write_bytes(zipped({"a.csv": bare}))
    (tmp_path / "words.txt").write_text("t,ppg\n" + "1,2\nwhat is this, and that, too\n" * 3)
    for words, said in (
        ("bare.csv", "or all in their order with --columns t,green,ax,ay,az,hr"),
        ("bare.csv --columns t,ppg,hr", "--columns has 3 names (t, ppg, hr), the file 2 columns"),
        (
            "bare.csv --columns ppg,ppg",
            "--columns is 'ppg,ppg'; allowed: names with commas",
        ),
        ("cut.gz", "unreadable as .gz"),
        ("cut.json", "unreadable as JSON"),
        ("none.json", "holds no rows; allowed: objects"),
        ("deep.json", "more than 8 objects within each other"),
        ("two.zip --rate 50", "two.zip: holds 2 files, and options are for one; unpack it"),
        ("none.zip", f"{tmp_path}/none.zip: none of its 1 files has a column"),
        (
            "words.txt",
            "3 of 6 lines hold no number and are no rows of 2 cells (the first is line 3",
        ),
    ):
        file, *options = words.split()
        assert leave("data", "inspect", str(tmp_path / file), *options) == 2
        assert said in capsys.readouterr().err
    assert leave("data", "inspect", "synthetic", "--rate", "50") == 2
    assert "--rate is for files, and synthetic has none" in capsys.readouterr().err


def test_clocks_of_other_zeros_and_zones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def summer(at: float) -> str:
        moment = NOON.replace(month=3, day=31, hour=1, minute=59, second=15)
        return (moment + timedelta(seconds=at + 3600 * (at >= 45))).isoformat()

    for time, began in (
        (summer, "2024-03-31T01:59:15.000"),
        (lambda at: f"{739403.5 + at / 86400:.10f}", "2024-05-31T12:00:00.000"),
        (lambda at: f"{638527536000000000 + round(at * 1e7)}", "2024-05-31T12:00:00.000"),
        (lambda at: f"{133616304000000000 + round(at * 1e7)}", "2024-05-31T12:00:00.000+00:00"),
        (lambda at: f"{iso(at)}+02:00[Europe/Berlin]", "2024-05-31T10:00:00.000+00:00"),
        (lambda at: f"{iso(at)} GMT-3", "2024-05-31T15:00:00.000+00:00"),
        (lambda at: f"{iso(at)}+02", "2024-05-31T10:00:00.000+00:00"),
    ):
        folder = tmp_path / f"{abs(hash(time))}"
        folder.mkdir()
        form = Form({"a.csv": f"time,ppg,{AXES},hr\n" + rows(time)}, started=began)
        (recording,), _ = converted(form, folder, capsys)
        check(recording, form)


def test_nearly_an_hour_that_is_missing_by_day_is_a_pause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def lunch(at: float) -> str:
        return (NOON + timedelta(seconds=at + 3590 * (at >= 45))).isoformat()

    form = Form({"a.csv": f"time,ppg,{AXES},hr\n" + rows(lunch)})
    (recording,), said = converted(form, tmp_path, capsys)
    ((begin_s, end_s),) = recording.gaps
    assert abs(begin_s - 45) < 0.1 and abs(end_s - 3635) < 0.1
    assert "summer time" not in said


def _json(data: Any, **beside: Any) -> Form:
    at = "2024-05-31T12:00:00.000"
    return Form({"a.json": json.dumps(beside | {"started_at": at} | data)}, (), at, False)


@pytest.mark.parametrize(
    "form",
    [
        _json({"ppg": [*PPG], "ppg_rate": HZ, "hr": [*HR[::HZ]], "hr_fs": 1}),
        _json({"data": [{"ppg": p, "hr": h} for p, h in zip(PPG, HR, strict=True)]}, fs=HZ),
        _json({"ppg": [*PPG], "sfreq": "0.05 kHz", "hr": [*HR[::HZ]], "hr_fs": "1 Hz"}),
        _json({"ppg": {"samples": [*PPG], "samplingRate": HZ}, "hr": [*HR], "hr_hz": HZ}),
        Form(
            {"a.csv": columns("ppg,hr,fs", p=ppg, h=hr, f=lambda _: str(HZ))}, acceleration=False
        ),
    ],
)
def test_a_rate_beside_the_rows(
    form: Form, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (recording,), notes = converted(form, tmp_path, capsys)
    check(recording, form)
    assert f"{HZ} rows a second by " in notes


ROWS = [[float(t), float(p), float(h)] for t, p, h in zip(TIME_S, PPG, HR, strict=True)]


def _windows() -> dict[str, list[Any]]:
    """8 s every 2 s, as they are cut for a network, and the mean rate of each."""
    begins = range(0, len(PPG) - 8 * HZ, 2 * HZ)
    return {
        "ppg": [PPG[at : at + 8 * HZ].tolist() for at in begins],
        "hr": [float(HR[at : at + 8 * HZ].mean()) for at in begins],
    }


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "normalised"])
def test_windows_that_share_samples_are_one_signal(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    windows = _windows()
    made: str | bytes
    if form == "csv":
        pairs = zip(windows["ppg"], windows["hr"], strict=True)
        made = "ppg,hr\n" + "".join(f'"{samples}",{rate}\n' for samples, rate in pairs)
    elif form in ("json", "normalised"):
        if form == "normalised":
            ppg_of = np.array(windows["ppg"])
            ppg_of = (ppg_of - ppg_of.mean(1, keepdims=True)) / ppg_of.std(1, keepdims=True)
            windows["ppg"] = np.round(ppg_of, 3).tolist()
        names = ("ppg", "hr")
        rows_of = zip(*windows.values(), strict=True)
        made = json.dumps([dict(zip(names, row, strict=True)) for row in rows_of])
    else:
        pyarrow, parquet = (pytest.importorskip(f"pyarrow{sub}") for sub in ("", ".parquet"))
        parquet.write_table(pyarrow.table(windows), tmp_path / "made")
        made = (tmp_path / "made").read_bytes()
    ending = "json" if form == "normalised" else form
    told = Form({f"a.{ending}": made}, ("--rate", str(HZ), "--hr-is", "window"), "", False)
    (recording,), notes = converted(told, tmp_path, capsys)
    check(recording, told)
    assert recording.duration_s == pytest.approx(88) and "share 300 samples of ppg" in notes
    assert ("each of a scale of its own" in notes) == (form == "normalised")
    if form == "normalised":
        left = np.corrcoef(recording.ppg[:, 0], PPG[: len(recording.ppg)])[0, 1]
        assert left > 0.9999


@pytest.mark.parametrize(
    "data",
    [
        {"columns": ["t", "ppg", "hr"], "data": ROWS},
        {
            "ppg": [{"t": t, "value": p} for t, p, _ in ROWS],
            "heart_rate": [{"t": s, "value": HR[s * HZ]} for s in range(SECONDS)],
        },
        {
            "samples": [{"t": t, "ppg": p, "hr": h} for t, p, h in ROWS],
            "events": [{"t": 10, "name": "walk"}, {"t": 20, "name": "rest"}],
        },
        {
            "t": [*TIME_S],
            "ppg": [None if i % 99 == 9 else v for i, v in enumerate(PPG)],
            "hr": [*HR],
        },
        {
            "t": [*TIME_S],
            "ppg": [float("nan") if i == 9 else v for i, v in enumerate(PPG)],
            "hr": [*HR],
        },
    ],
)
def test_other_tables_of_json(
    data: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    form = Form({"a.json": json.dumps(data)}, acceleration=False)
    check(converted(form, tmp_path, capsys)[0][0], form)


@pytest.mark.parametrize("names", ["S1_ppg,S1_hr,S2_ppg,S2_hr", "ppg anna,hr anna,ppg ben,hr ben"])
def test_people_side_by_side_are_not_channels(
    names: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(columns(f"t,{names}", t=lambda i: str(TIME_S[i]), a=ppg, b=hr, c=ppg, d=hr))
    assert leave("data", "inspect", str(path)) == 2
    ppg_of, hr_of = names.split(",")[:2]
    said = capsys.readouterr().err
    assert f"each PPG has a reference of its own ({ppg_of} with {hr_of}," in said
    assert leave("data", "inspect", str(path), "--ppg-column", ppg_of, "--hr-column", hr_of) == 0


def test_a_rate_of_something_in_every_row_is_none_of_theirs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(columns("ppg,hr,rate", p=ppg, h=hr, r=lambda _: "15"))
    assert leave("data", "inspect", str(path)) == 2
    assert "neither a time column nor a rate of ppg is given" in capsys.readouterr().err


def test_times_that_are_words_here_and_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def time(row: int) -> str:
        return "n/a" if row % 500 == 7 else iso(TIME_S[row])

    text = columns("time,ppg,hr", t=time, p=ppg, h=hr)
    form = Form({"a.csv": text}, (), "2024-05-31T12:00:00.000", False)
    check(converted(form, tmp_path, capsys)[0][0], form)


@pytest.mark.parametrize(
    "head",
    [
        '# OpenSignals\n# {"mac": {"sampling rate": 50, "channels": [1]}}\n# EndOfHeader\n',
        "Start: 2024-05-31 12:00:00\nfs: 50\n",
        "Sample Rate (sps): 50\n",
    ],
)
def test_a_rate_above_the_rows(
    head: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = columns(f"{head}PPG,HR", p=ppg, h=lambda i: f"{HR[i]:.0f}")
    form = Form({"a.txt": text}, acceleration=False)
    (recording,), notes = converted(form, tmp_path, capsys)
    check(recording, form)
    assert "50 rows a second, as its first lines say" in notes


@pytest.mark.parametrize(
    "written", ["%d-%b-%Y %H:%M:%S.%f", "%B %d, %Y %I:%M:%S.%f %p", "%Y%m%dT%H%M%S.%f"]
)
def test_dates_in_words_and_without_marks(
    written: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = columns(
        "time;ppg;hr",
        t=lambda i: (NOON + timedelta(seconds=TIME_S[i])).strftime(written).replace(",", "\t"),
        p=ppg,
        h=hr,
    )
    text = text.replace(",", ";").replace("\t", ",")
    form = Form({"a.csv": text}, started="2024-05-31T12:00:00.000", acceleration=False)
    (recording,), _ = converted(form, tmp_path, capsys)
    check(recording, form)


@pytest.mark.parametrize("word", ["NO DATA", "Lead off", "***"])
def test_few_words_among_numbers_are_no_measurement(
    word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def cell(row: int) -> str:
        return word if 2000 <= row < 2050 else ppg(row)

    text = columns("t,ppg,hr", t=lambda i: f"{TIME_S[i]}", p=cell, h=hr)
    (recording,), notes = converted(Form({"a.csv": text}), tmp_path, capsys)
    ((begin_s, end_s),) = recording.gaps
    assert 39.9 < begin_s < 40.1 and 40.9 < end_s < 41.1
    assert f"ppg is '{word}' in 50 rows: read as empty" in notes


def _mixed(row: int) -> str:
    return f"{60 / HR[row * HZ]:.3f}" if row % 2 else f"{60000 / HR[row * HZ]:.0f}"


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("hr", lambda i: f"{HR[i * HZ]:.0f}{' bpm' if i % 3 else 'BPM'}", ""),
        ("hr", lambda i: f"{HR[i * HZ]:.0f} 1/min", ""),
        ("hr", lambda i: f"{HR[i * HZ]:.0f}/min", ""),
        ("hr_hz", lambda i: f"{HR[i * HZ] / 60:.4f}", "hr_hz is in Hz: taken 60 times"),
        ("rr", _mixed, "rr is in s in 45 rows, in ms in 45"),
        ("hr", lambda i: f"{HR[i * HZ] / (1 if i < 55 else 60):.2f}", "It looks like Hz"),
    ],
)
def test_spellings_of_a_heart_rate(
    name: str,
    cell: Callable[[int], str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reference = f"t,{name}\n" + "".join(f"{i},{cell(i)}\n" for i in range(90))
    light = columns("t,ppg", t=lambda i: str(TIME_S[i]), p=ppg)
    form = Form({"a.csv": light, "b.csv": reference}, ("--hr-csv", "b.csv"), acceleration=False)
    (recording,), notes = converted(form, tmp_path, capsys)
    assert said in notes
    if name != "hr" or not said:
        check(recording, form, off_bpm=1.0)


@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_times_of_beats(unit: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    light = columns("t,ppg", t=lambda i: str(TIME_S[i]), p=ppg)
    beats = "r_peaks\n" + "".join(f"{at / unit:.3f}\n" for at in BEATS)
    form = Form({"a.csv": light, "b.csv": beats}, ("--hr-csv", "b.csv"), acceleration=False)
    (recording,), notes = converted(form, tmp_path, capsys)
    check(recording, form, off_bpm=1.0)
    assert "r_peaks holds the times of beats" in notes


def test_breaths_a_minute_are_no_heart_rate() -> None:
    assert guess(("t", "ppg", "Breathing rate [1/min]")).reference is None
    assert guess(("t", "ppg", "PR"), {"PR": "bpm"}).hr == "PR"


def test_names_over_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",ppg,acc,,,hr\ntime,raw,x,y,z,rate\n" + "0.1,5,1,2,3,70\n" * 9)
    found = read_text(path).meant
    assert found.ppg == ("ppg raw",) and found.acc == ("acc x", "acc y", "acc z")
    assert (found.time, found.hr) == ("time", "hr rate")


def test_other_spellings_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t;green\n0;1 251 234\n1;998\n2;?\n3;-1.#IND\n")
    assert read_columns(path, ("green",))["green"][:2].tolist() == [1251234, 998]
    assert np.isnan(read_columns(path, ("green",))["green"][2:]).all()
    for cells, numbers in (
        (("0x1F", "0xA", ""), (31, 10)),
        (("C7A0", "C7FF", ""), (51104, 51199)),
    ):
        path.write_text("\n".join(["t,green", *(f"{i},{cell}" for i, cell in enumerate(cells))]))
        read = read_columns(path, ("green",))["green"]
        assert read[np.isfinite(read)].tolist() == [*numbers]
    path.write_text('t,green\n0,\'-12\'\n1,\u221212\n2,"=""-12"""\n3,#DIV/0!\n4,1.#INF\n')
    read = read_columns(path, ("green",))["green"]
    assert read[:3].tolist() == [-12] * 3 and np.isnan(read[3:]).all()
    path.write_text("t,green\n0,12 uV\n1,13 mV\n")
    with pytest.raises(DataError, match="green is '12 uV' in line 2; allowed: a number"):
        read_columns(path, ("green",))
