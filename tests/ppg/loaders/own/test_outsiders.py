"""Twenty more forms: what phones, serial ports, spreadsheets and other people's scripts write."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from deploy.tflite.writer import write
from search_spaces.published import published
from tests.nas.cli.leaving import leave
from tests.nas.fakes import fake_net
from tests.ppg.loaders.devices.made import sheet, zipped
from tests.ppg.loaders.own.raw import (
    ACC,
    AXES,
    BEATS,
    HR,
    HZ,
    NOON,
    PPG,
    TIME_S,
    UNIX,
    Form,
    check,
    columns,
    converted,
    hr,
    iso,
    ppg,
    rows,
    seconds,
    stamp,
)


def per_second(row: int) -> str:
    return ",".join(ppg(i) for i in range(row, row + HZ))


def days(at: float) -> float:
    """Of Excel, at noon of 31 May 2024."""
    return 45443.5 + at / 86400


def packets() -> Iterator[str]:
    for row in range(0, len(TIME_S), HZ):
        axes = json.dumps([[round(float(v), 3) for v in a] for a in ACC[row : row + HZ].T])
        x, y, z = axes[1:-1].replace("], [", "]|[").split("|")
        samples = [round(float(v)) for v in PPG[row : row + HZ]]
        yield f'{row // HZ},"{samples}","{x}","{y}","{z}",{hr(row)}'


def interleaved() -> Iterator[str]:
    """A second of one sensor, then of the next."""
    for row in range(0, len(TIME_S), HZ):
        yield from (f"{stamp(i)},PPG,{ppg(i)},," for i in range(row, row + HZ))
        here = range(row, row + HZ, 2)
        yield from (
            f"{stamp(i)},ACC,{ACC[i][0]:.3f},{ACC[i][1]:.3f},{ACC[i][2]:.3f}" for i in here
        )
        yield f"{stamp(row)},HR,{hr(row)},,"


def clock_of_berlin(at: float) -> str:
    """45 s before clocks go back, and 45 s after."""
    moment = NOON.replace(month=10, day=27, hour=2, minute=59, second=15) + timedelta(seconds=at)
    return (moment - timedelta(hours=at >= 45)).isoformat(sep=" ", timespec="milliseconds")


def twelve_hours(at: float) -> str:
    return (NOON.replace(hour=23, minute=59) + timedelta(seconds=at)).strftime("%I:%M:%S.%f %p")


def minutes(at: float) -> str:
    """Of an hour that ends."""
    at = (3570 + at) % 3600
    return f"{int(at // 60):02d}:{at % 60:06.3f}"


BARE = rows(seconds)
PHONE = zipped(
    {
        "PPG.csv": columns("time,seconds_elapsed,green", t=stamp, s=lambda i: "0", p=ppg),
        "Accelerometer.csv": columns(
            "time,seconds_elapsed,z,y,x",
            every=2,
            t=stamp,
            s=lambda i: f"{TIME_S[i]:.3f}",
            a=lambda i: ",".join(f"{9.80665 * ACC[i][axis]:.4f}" for axis in (2, 1, 0)),
        ),
        "HeartRate.csv": columns(
            "time,seconds_elapsed,bpm", every=HZ, t=stamp, s=lambda i: "0", h=hr
        ),
        "Metadata.csv": "device name,platform\nPixel,android\n",
    }
)
INTERVALS_S = np.diff(BEATS, prepend=0.0)
PLOTTED = [
    f"{iso(t)[11:]} -> PPG:{p:.0f},HR:{h:.0f}" for t, p, h in zip(TIME_S, PPG, HR, strict=True)
]
SWISS = columns(
    "t,ppg,hr",
    t=lambda i: f"{TIME_S[i]:.2f}",
    p=lambda i: f"{PPG[i]:,.0f}".replace(",", "'"),
    h=hr,
)
FORMS = {
    # Those that were refused.
    "lists of samples in cells": Form(
        {"a.csv": "\n".join([f"t,ppg,{AXES},hr", *packets()])},
    ),
    "days of Excel": Form(
        {"a.csv": f"time,ppg,{AXES},hr\n" + rows(lambda at: f"{days(at):.10f}")},
        started="2024-05-31T12:00:00.000",
    ),
    "a spreadsheet": Form(
        {
            "a.xlsx": sheet(
                [
                    ["a logger"],
                    ["time", "ppg", "hr"],
                    *([days(float(TIME_S[i])), float(PPG[i]), float(HR[i])] for i in range(4500)),
                ]
            )
        },
        started="2024-05-31T12:00:00.000",
        acceleration=False,
    ),
    "no names": Form({"a.csv": BARE}, options=("--columns", f"t,green,{AXES},hr")),
    "lines of JSON": Form(
        {
            "a.jsonl": "\n".join(
                json.dumps(
                    {
                        "ts": UNIX * 1000 + 20 * i,
                        "ppg": {"green": round(float(PPG[i]))},
                        "acc": [round(float(v), 3) for v in ACC[i]],
                        "hr": float(HR[i]) if i % HZ == 0 else None,
                    }
                )
                for i in range(len(TIME_S))
            )
        },
        started="2024-05-27T08:53:20.000+00:00",
    ),
    "marks of events": Form(
        {
            "a.csv": columns(
                "t,green,hr,event",
                t=lambda i: f"{TIME_S[i]:.2f}",
                p=ppg,
                h=hr,
                e=lambda i: {0: "rest", 2250: "walk"}.get(i, ""),
            )
        },
        acceleration=False,
    ),
    # Those that were made up after them.
    "an export of a phone in an archive": Form(
        {"a.zip": zipped({"2024-05-27/export.zip": PHONE, "readme.txt": "mine"})},
        started="2024-05-27T08:53:20.000+00:00",
    ),
    "words of a sketch": Form(
        {
            "a.txt": "Booting sketch v1.3\r\nSensor found!\r\nmillis,ir,ax,ay,az,hr\r\n"
            + rows(lambda at: f"{1000 * at:.0f}").replace(
                "\n1000,", "\nno finger?\n[warn] buffer was full, again\n1000,"
            )
            + "bye\n"
        },
    ),
    "a serial plotter with the monitor's clock": Form(
        {"a.log": "\n".join(["12:00:00.001 -> ready", *PLOTTED])},
        started="12:00:00.000",
        acceleration=False,
    ),
    "a watch, and a strap in another zone": Form(
        {
            "a.csv": columns("datetime,ppg", t=lambda i: iso(TIME_S[i]), p=ppg),
            "b.csv": columns(
                "datetime,hr",
                every=HZ,
                t=lambda i: iso(TIME_S[i] - 7200).replace("T", " ") + "+00:00",
                h=hr,
            ),
        },
        options=("--hr-csv", "b.csv"),
        started="2024-05-31T12:00:00.000",
        acceleration=False,
    ),
    "the end of summer time": Form(
        {"a.csv": f"timestamp,ppg,{AXES},hr\n" + rows(clock_of_berlin)},
        started="2024-10-27T02:59:15.000",
    ),
    "midnight in twelve hours": Form(
        {"a.csv": f"time,ppg,{AXES},hr\n" + rows(twelve_hours)}, started="23:59:00.000"
    ),
    "intervals in s from their own zero": Form(
        {
            "a.csv": columns("t,bvp", t=lambda i: f"{TIME_S[i]:.2f}", p=ppg),
            "rr.csv": "time,rr_s\n"
            + "".join(f"{b:.3f},{r:.3f}\n" for b, r in zip(BEATS, INTERVALS_S, strict=True)),
        },
        options=("--hr-csv", "rr.csv"),
        acceleration=False,
    ),
    "thousands": Form({"a.csv": SWISS}, acceleration=False),
    "quoted, with a mark, commas at the end and words for nothing": Form(
        {
            "a.csv": "\ufeff"
            + "".join(
                ",".join(f'"{cell or "NaN"}"' for cell in line.split(",")) + ",\r\n"
                for line in [f"Time,PPG,{AXES},HR", "s,a.u.,g,g,g,bpm", *BARE.splitlines()]
            )
            .replace('"NaN"', "#N/A", 40)
            .replace('"NaN"', "missing", 40)
        }
    ),
    "names in Italian": Form(
        {
            "a.csv": "Tempo (s);Verde;Accelerazione X;Accelerazione Y;Accelerazione Z;"
            "Frequenza cardiaca\n" + rows(seconds, separator=";")
        }
    ),
    "names in Chinese": Form(
        {
            "a.csv": "\u65f6\u95f4,\u7eff\u5149,\u52a0\u901f\u5ea6X,\u52a0\u901f\u5ea6Y,"
            "\u52a0\u901f\u5ea6Z,\u5fc3\u7387\n" + BARE
        }
    ),
    "a counter in hexadecimal": Form(
        {"a.csv": f"ticks,ppg,{AXES},hr\n" + rows(lambda at: f"{round(1000 * at):08x}")},
        options=("--time-unit", "ms"),
    ),
    "minutes and seconds of an hour": Form(
        {"a.csv": f"time,ppg,{AXES},hr\n" + rows(minutes)},
    ),
    "a row for each sensor": Form(
        {"a.csv": "\n".join(["timestamp,sensor,v1,v2,v3", *interleaved()])},
        started="2024-05-27T08:53:20.000+00:00",
    ),
    "fifty columns a second": Form(
        {
            "a.csv": columns(
                "second,hr," + ",".join(f"ppg_{i}" for i in range(HZ)),
                every=HZ,
                t=lambda i: str(i // HZ),
                h=hr,
                p=per_second,
            )
        },
        acceleration=False,
    ),
    "a time beside each signal": Form(
        {
            "a.csv": columns(
                f"t_ppg,ppg,t_acc,{AXES},t_hr,hr",
                t=lambda i: f"{TIME_S[i]:.2f}",
                p=ppg,
                a=lambda i: (
                    f"{TIME_S[2 * i]:.2f}," + ",".join(f"{axis:.3f}" for axis in ACC[2 * i])
                    if 2 * i < len(ACC)
                    else ",,,"
                ),
                h=lambda i: f"{i},{HR[i * HZ]:.0f}" if i * HZ < len(HR) else ",",
            )
        },
    ),
    "points between thousands, decimal commas": Form(
        {
            "a.csv": "t;ppg;hr\n"
            + "".join(
                f"{t:.2f};{p:_.1f};{h:.1f}\n".replace(".", ",").replace("_", ".")
                for t, p, h in zip(TIME_S, PPG, HR, strict=True)
            )
        },
        acceleration=False,
    ),
    "the log of a program": Form(
        {
            "a.log": "\n".join(
                f"[{iso(t)}] INFO ppg={p:.0f} hr={h:.0f}"
                for t, p, h in zip(TIME_S, PPG, HR, strict=True)
            )
        },
        started="2024-05-31T12:00:00.000",
        acceleration=False,
    ),
    "units in cells, the newest first, packed": Form(
        {
            "a.csv.gz": gzip.compress(
                "\n".join(
                    [
                        "time,ppg,hr",
                        *(
                            f"{20 * i} ms,{PPG[i]:.0f} counts,{f'{hr(i)} bpm' if hr(i) else ''}"
                            for i in reversed(range(len(TIME_S)))
                        ),
                    ]
                ).encode()
            )
        },
        acceleration=False,
    ),
}


def test_at_most_three_options() -> None:
    assert len(FORMS) == 25
    assert max(len(form.options) for form in FORMS.values()) <= 2 * 3


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "model.tflite"
    file.write_bytes(write(fake_net(published("tiny-ppg"))))
    return file


@pytest.mark.parametrize("name", FORMS)
def test_convert_takes_it_and_predict_reads_it_alike(
    name: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "a spreadsheet":
        pytest.importorskip("python_calamine")
    (recording,), notes = converted(FORMS[name], tmp_path, capsys)
    check(recording, FORMS[name])
    if name == "marks of events":
        assert recording.activity_names == ("rest", "walk")
        assert recording.activity[0] == 0 and recording.activity[-1] == 1
    assert leave("predict", str(model), *FORMS[name].arguments(tmp_path), "--json") == 0
    read = capsys.readouterr()
    assert read.err.startswith(notes)
    (file,) = (tmp_path / "out").rglob("*.npz")
    assert leave("predict", str(model), str(file), "--json") == 0
    assert json.loads(read.out) == json.loads(capsys.readouterr().out)
