"""What loggers write that others do not: clocks of other zeros, digits alone, cut ends."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.nas.cli.leaving import leave
from tests.ppg.loaders.own.raw import (
    ACC,
    AXES,
    HR,
    NOON,
    TIME_S,
    Form,
    check,
    columns,
    converted,
    hr,
    ppg,
    rows,
    seconds,
)

UTC_NOON = 1_717_156_800  # of 31 May 2024
NOON_UTC, NOON_LOCAL = "2024-05-31T12:00:00.000+00:00", "2024-05-31T12:00:00.000"
HEADER = f"t,ppg,{AXES},hr\n"


def named(name: str, zero_s: int, started: str, *, noon_s: int = UTC_NOON) -> Form:
    text = rows(lambda at: f"{noon_s - zero_s + at:.3f}")
    return Form({"a.csv": f"{name},ppg,{AXES},hr\n{text}"}, started=started)


def in_ns(zero_s: int) -> Form:
    text = rows(lambda at: f"{(UTC_NOON - zero_s) * 10**9 + round(at * 1e9)}")
    return Form({"a.csv": HEADER + text}, started=NOON_UTC)


def digits(at: float) -> str:
    return (NOON + timedelta(seconds=at)).strftime("%Y%m%d%H%M%S%f")[:17]


def with_header(lines: str) -> str:
    """Again at 40 s, when the logger began anew."""
    text = HEADER + lines + rows(seconds)
    return text.replace("\n40.000,", f"\n{HEADER}{lines}40.000,")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (named("gps_time", 315_964_782, NOON_UTC), "counts from 1980-01-06, as GPS does"),
        (named("garmin_time", 631_065_600, NOON_UTC), "counts from 1989-12-31, as Garmin does"),
        (  # of 2014, which Apple's would be 2025
            named(
                "garmin_time", 631_065_600, "2014-05-31T12:00:00.000+00:00", noon_s=1_401_537_600
            ),
            "counts from 1989-12-31, as Garmin does",
        ),
        (named("time", 978_307_200, NOON_UTC), "counts from 2001-01-01, as Apple does"),
        (in_ns(946_684_800), "counts from 2000-01-01, as Polar does"),
        (
            named("timestamp", 631_065_600, "2004-06-01T12:00:00.000+00:00"),
            "begins on 2004-06-01, or on 2024-05-31 if it counts from 1989-12-31",
        ),
        (named("gps_time", 0, NOON_UTC), "a.csv: the PPG has 50 rows a second"),
        (named("timestamp", 0, NOON_UTC), "a.csv: the PPG has 50 rows a second"),
    ],
)
def test_zeros_of_clocks(
    form: Form, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ((recording,), notes) = converted(form, tmp_path, capsys)
    assert said in notes and ("counts from" in notes) == ("counts from" in said)
    check(recording, form)


@pytest.mark.parametrize(
    "form",
    [
        Form({"a.csv": HEADER + rows(digits)}, started=NOON_LOCAL),
        Form(
            {"a.csv": HEADER + rows(lambda at: f"{digits(at)[:14]}.{digits(at)[14:]}")},
            started=NOON_LOCAL,
        ),
        Form(
            {"a.csv": HEADER + rows(lambda at: f"{(NOON + timedelta(seconds=at))} CEST")},
            started=NOON_LOCAL,
        ),
        Form(
            {"a.csv": HEADER + rows(lambda at: f"{(NOON + timedelta(seconds=at))} PDT")},
            started=NOON_LOCAL,
        ),
        Form(
            {
                "a.csv": f"elapsed_realtime_nanos,ppg,{AXES},hr\n"
                + rows(lambda at: f"{8e12 + at * 1e9:.0f}")
            }
        ),
        Form(
            {
                "a.csv": f"hour,minute,second,ppg,{AXES},hr\n"
                + rows(lambda at: f"12,{at // 60:.0f},{int(at) % 60}")
            }
        ),
        Form({"a.csv": f"# {HEADER}" + rows(seconds)}),  # numpy.savetxt
        Form({"a.csv": f"# made by me, at noon\n%{HEADER}#\n" + rows(seconds)}),
        Form({"a.csv": f"// {HEADER}//s,a.u.,g,g,g,bpm\n" + rows(seconds)}),
        Form({"a.txt": f"#{HEADER.replace(',', chr(9))}" + rows(seconds, separator="\t")}),
        Form(
            {
                "a.log": "".join(
                    f"[00:0{t // 60:.0f}:{t % 60:06.3f},000] <inf> ppg: green[{ppg(i)}] "
                    f"hr={HR[i]:.0f}\n"
                    for i, t in enumerate(TIME_S.tolist())
                )
            },
            started="00:00:00.000",
            acceleration=False,
        ),
        Form({"a.csv": with_header("")}),
        Form({"a.csv": "Band,v3,,,,\nDate,2024-05-31 12:00,,,,\nNo,17,,,,\n" + with_header("")}),
        Form(
            {
                "a.csv": f"Date,ppg,{AXES},hr\n"
                + rows(lambda at: f"{NOON + timedelta(seconds=at):%m/%d/%Y %I:%M:%S.%f %p}")
            },
            started=NOON_LOCAL,
        ),
        Form({"a.csv": with_header("s,a.u.,g,g,g,bpm\n")}),
        Form({"a.csv": with_header("[s],,[g],[g],[g],[bpm]\n")}),
    ],
)
def test_times_and_headers(form: Form, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ((recording,), _) = converted(form, tmp_path, capsys)
    check(recording, form)


@pytest.mark.parametrize(
    "comment", ["# t,ppg", "# by me, then, at, noon, in, May", "# 1,2,3,4,5,6", "# s,g,g,g,g,bpm"]
)
def test_a_comment_without_the_names_is_none(
    comment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text(f"{comment}\n{rows(seconds)}")
    assert leave("data", "convert", str(tmp_path / "a.csv"), str(tmp_path / "out")) == 2
    assert "its columns: 1, 2, 3, 4, 5, 6." in capsys.readouterr().err


@pytest.mark.parametrize("end", ["90.00,5", "90.00,51000,0.0", "90.00,51000,0.0,0.0,1.0"])
def test_a_last_line_that_lacks_cells(
    end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One cell less than every row before is enough: its last number may be cut, too."""
    form = Form({"a.csv": HEADER + rows(seconds) + end})
    ((recording,), notes) = converted(form, tmp_path, capsys)
    assert "line 4502, the last one, is cut off and left out" in notes
    assert len(recording.ppg) == 4500


def test_rows_without_their_last_cell_end_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line.rstrip(",") for line in rows(seconds).splitlines()]
    form = Form({"a.csv": HEADER + "\n".join(lines)})
    ((recording,), notes) = converted(form, tmp_path, capsys)
    assert "cut off" not in notes
    check(recording, form)


@pytest.mark.parametrize("units", [("mg", "g", "g"), ("g", "mg", "m/s2"), ("g", "g", "1/64 g")])
def test_axes_in_units_of_their_own(
    units: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    per = [{"mg": 1000, "g": 1, "m/s2": 9.80665, "1/64 g": 64}[unit] for unit in units]
    made = columns(
        f"t,ppg,ax ({units[0]}),ay ({units[1]}),az ({units[2]}),hr",
        t=lambda i: f"{TIME_S[i]:.2f}",
        p=ppg,
        a=lambda i: ",".join(f"{k * a:.3f}" for k, a in zip(per, ACC[i], strict=True)),
        h=hr,
    )
    form = Form({"a.csv": made})
    ((recording,), notes) = converted(form, tmp_path, capsys)
    assert f"the axes of the acceleration are in {', '.join(units)}, as its names say" in notes
    check(recording, form)
    assert recording.acc == pytest.approx(ACC, abs=2e-3)


def test_an_axis_in_another_unit_without_a_word_is_refused_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = columns(
        f"t,ppg,{AXES},hr",
        t=lambda i: f"{TIME_S[i]:.2f}",
        p=ppg,
        a=lambda i: f"{1000 * ACC[i][0]:.1f},{ACC[i][1]:.3f},{ACC[i][2]:.3f}",
        h=hr,
    )
    (tmp_path / "a.csv").write_text(made)
    assert leave("data", "convert", str(tmp_path / "a.csv"), str(tmp_path / "out")) == 2
    assert "axis x changes" in capsys.readouterr().err
