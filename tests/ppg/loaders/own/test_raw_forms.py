"""Fifteen forms in which loggers and spreadsheets write a recording, taken as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from nas.cli.main import main
from ppg.loaders.own.text import read_columns
from ppg.npz.folder import read_folder
from ppgnas.errors import DataError
from tests.ppg.loaders.own.raw import (
    ACC,
    BEATS,
    HR,
    HZ,
    PPG,
    SECONDS,
    TIME_S,
    UNIX,
    Form,
    check,
    converted,
    iso,
    rows,
    seconds,
)


def _stamped(scale: int) -> Callable[[float], str]:
    return lambda seconds: str(int((UNIX + seconds) * scale))


def _packet(row: int) -> str:
    """8 rows at once, 1 ms apart."""
    return f"{row // 8 * 8 / HZ + row % 8 * 1e-3:.3f}"


def _pairs(header: str, rows: Iterator[tuple[str, str]]) -> str:
    return "\n".join([header, *(f"{time},{value}" for time, value in rows)])


PLAIN = "t,green,ax,ay,az,hr\n" + rows(seconds)
LINES = PLAIN.splitlines()
ALONE = _pairs("t,green", ((f"{t:.2f}", f"{p:.0f}") for t, p in zip(TIME_S, PPG, strict=True)))
INTERVALS = np.diff(BEATS, prepend=0.0)
POLAR = "\n".join(f"{iso(7200 + b)};{1000 * r:.0f}" for b, r in zip(BEATS, INTERVALS, strict=True))
TWO_PEOPLE = "".join(
    f"{who},{'rest' if t < 45 else 'walk'},{t:.2f},{sign * p:.0f},{h:.0f}\n"
    for who, sign in (("anna", 1), ("ben", -1))
    for t, p, h in zip(TIME_S, PPG, HR, strict=True)
)
FORMS = {
    "decimal commas": Form(
        {"a.csv": "t;green;ax;ay;az;hr\n" + rows(seconds, separator=";").replace(".", ",")}
    ),
    "sep=": Form({"a.csv": "sep=;\nt;green;ax;ay;az;hr\n" + rows(seconds, separator=";")}),
    "comments and units": Form(
        {
            "a.csv": "# device X\n# firmware 1.2\nTime,PPG,Acc_X,Acc_Y,Acc_Z,HR\n"
            "s,counts,m/s2,m/s2,m/s2,bpm\n" + rows(seconds, per_g=9.80665)
        }
    ),
    "two lines of names": Form(
        {
            "a.txt": "\tPPG\tACC\t\t\tPolar\nTimestamp\tgreen\tx\ty\tz\tHR\n"
            + rows(seconds, separator="\t")
        }
    ),
    "UTF-16 without a mark": Form({"a.csv": PLAIN.encode("utf-16-le")}),
    "ISO times": Form(
        {"a.csv": "timestamp,ppg,accX,accY,accZ,heart_rate\n" + rows(lambda s: iso(s) + "+02:00")},
        started="2024-05-31T10:00:00.000+00:00",
    ),
    "times of day past midnight": Form(
        {"a.csv": "time,ppg,ax,ay,az,hr\n" + rows(lambda s: iso(43170 + s)[11:])},
        started="23:59:30.000",
    ),
    "ms and mg": Form(
        {"a.csv": "ts,ppg_green,acc_x,acc_y,acc_z,hr\n" + rows(_stamped(1000), per_g=1000)},
        started="2024-05-27T08:53:20.000+00:00",
    ),
    "ns": Form(
        {"a.csv": "timestamp,ppg,ax,ay,az,hr\n" + rows(_stamped(10**9))},
        started="2024-05-27T08:53:20.000+00:00",
    ),
    "three files, us, ms and s": Form(
        {
            "a.csv": _pairs(
                "timestamp,ppg",
                ((_stamped(10**6)(t), f"{p:.0f}") for t, p in zip(TIME_S, PPG, strict=True)),
            ),
            "acc.csv": "timestamp,x,y,z\n"
            + "\n".join(
                f"{_stamped(1000)(t)},{a[0]:.3f},{a[1]:.3f},{a[2]:.3f}"
                for t, a in zip(TIME_S[::2].tolist(), ACC[::2], strict=True)
            ),
            "hr.csv": _pairs(
                "timestamp,hr", ((str(UNIX + s), f"{HR[s * HZ]:.0f}") for s in range(SECONDS))
            ),
        },
        options=("--acc-csv", "acc.csv", "--hr-csv", "hr.csv"),
        started="2024-05-27T08:53:20.000+00:00",
    ),
    "doubled rows": Form(
        {"a.csv": "\n".join(chain(LINES[:300], LINES[299:2000], LINES[1999:]))},
    ),
    "packets": Form({"a.csv": "t,green,ax,ay,az,hr\n" + rows(lambda s: _packet(round(s * HZ)))}),
    "intervals alone": Form(
        {"a.csv": ALONE, "rr.txt": "\n".join(f"{1000 * r:.0f}" for r in INTERVALS)},
        options=("--hr-csv", "rr.txt"),
        acceleration=False,
    ),
    "people and activities": Form(
        {"a.csv": "subject,activity,t,green,hr\n" + TWO_PEOPLE}, acceleration=False
    ),
    "names of its own, a strap by local time": Form(
        {
            "a.csv": _pairs(
                "when,adc1",
                ((iso(t) + "Z", f"{p:.0f}") for t, p in zip(TIME_S, PPG, strict=True)),
            ),
            "polar.txt": "Phone timestamp;RR-interval [ms]\n" + POLAR,
        },
        options=("--ppg-column", "adc1", "--time-column", "when", "--hr-csv", "polar.txt"),
        started="2024-05-31T12:00:00.000+00:00",
        acceleration=False,
    ),
}


def test_there_are_fifteen_with_at_most_three_options() -> None:
    assert len(FORMS) == 15
    assert max(len(form.options) for form in FORMS.values()) <= 2 * 3


@pytest.mark.parametrize("name", FORMS)
def test_a_raw_form_is_taken_as_it_is(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recordings, _ = converted(FORMS[name], tmp_path, capsys)
    assert len(recordings) == (2 if name == "people and activities" else 1)
    for recording in recordings:
        check(recording, FORMS[name])


@pytest.mark.parametrize(
    "names",
    ["Zeit [s];Grün;Puls", "Temps (s);PPG;Fréquence cardiaque", "t;BVP;Pulse (bpm)"],
)
def test_names_of_other_languages_and_rates_by_their_unit(names: str, tmp_path: Path) -> None:
    rows = "\n".join(f"{t:.2f};{p:.0f};{h:.0f}" for t, p, h in zip(TIME_S, PPG, HR, strict=True))
    (tmp_path / "a.csv").write_text(f"{names}\n{rows}\n", encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["data", "convert", str(tmp_path / "a.csv"), str(tmp_path / "out")])
    assert left.value.code == 0
    (recording,) = read_folder(tmp_path / "out")
    true = np.interp(recording.window_start_s + 4, TIME_S, HR)
    assert np.abs(recording.hr_bpm - true)[recording.usable].mean() < 0.5


def test_thousands_may_have_commas(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('t,green\n0,"1,251,234"\n1,"998"\n2,"-1,004.5"\n')
    assert read_columns(path, ("green",))["green"].tolist() == [1251234, 998, -1004.5]
    path.write_text('t,green\n0,"0,234"\n')
    with pytest.raises(DataError, match="decimal commas throughout"):
        read_columns(path, ("green",))


def test_who_and_what_they_do(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("subject,activity,t,green,hr\n" + TWO_PEOPLE)
    with pytest.raises(SystemExit):
        main(["data", "convert", str(tmp_path / "a.csv"), str(tmp_path / "out")])
    anna, ben = read_folder(tmp_path / "out")
    assert (anna.person, ben.person) == ("own/anna", "own/ben")
    assert anna.activity_names == ("rest", "walk")
    assert anna.activity[0] == 0 and anna.activity[-1] == 1
