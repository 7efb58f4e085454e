"""What vendors' apps, instruments and published sets write, as they write it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ppg.loaders.forms import open_table
from ppgnas.errors import DataError
from tests.ppg.loaders.own.raw import (
    ACC,
    HR,
    HZ,
    NOON,
    PPG,
    SECONDS,
    TIME_S,
    UNIX,
    Form,
    check,
    columns,
    converted,
    hr,
    iso,
    ppg,
)

START = NOON.strftime("%Y-%m-%dT%H:%M:%S")
WATCH = "time,ppg\n" + "".join(f"{iso(t)}Z,{PPG[i]:.0f}\n" for i, t in enumerate(TIME_S))
DATES = [iso(s)[:19] for s in range(SECONDS)]
RATES = [round(float(HR[s * HZ])) for s in range(SECONDS)]
SAMSUNG = "com.samsung.health.heart_rate."
GPX = "http://www.topografix.com/GPX/1/1"
GARMIN = "http://www.garmin.com/xmlschemas/TrackPointExtension/v1"


def each(text: str) -> str:
    """A text a second, with its date and the rate in it."""
    pairs = zip(DATES, RATES, strict=True)
    return "".join(text.replace("@D", date).replace("@R", str(rate)) for date, rate in pairs)


def beside(name: str, content: str, *options: str) -> Form:
    """A reference in a file of its own."""
    files: dict[str, str | bytes] = {"ppg.csv": WATCH, name: content}
    return Form(files, ("--hr-csv", name, *options), f"{START}.000+00:00", acceleration=False)


def alone(name: str, content: str, *options: str, started: str = "", acc: bool = False) -> Form:
    return Form({name: content}, options, started, acceleration=acc)


def line(values: np.ndarray) -> str:
    return "   ".join(f"{value:.7e}" for value in values)


FORMS = {
    "Fitbit": beside(
        "heart_rate-2024-05-31.json",
        json.dumps(
            [
                {"dateTime": f"05/31/24 {date[11:]}", "value": {"bpm": rate, "confidence": 3}}
                for date, rate in zip(DATES, RATES, strict=True)
            ]
        ),
    ),
    "Apple Health": beside(
        "export.xml",
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE HealthData [\n<!ELEMENT HealthData '
        '(ExportDate)>\n]>\n<HealthData locale="en_GB">'
        + each(
            '<Record type="HKQuantityTypeIdentifierHeartRate" unit="count/min" startDate="@D '
            '+0000" endDate="@D +0000" value="@R"><MetadataEntry key="a" value="0"/></Record>'
            '<Record type="HKQuantityTypeIdentifierStepCount" startDate="@D +0000" value="9"/>'
        )
        + "</HealthData>",
    ),
    "TCX": beside(
        "run.tcx",
        '<TrainingCenterDatabase xmlns="http://www.garmin.com/TrainingCenterDatabase/v2"><Track>'
        + each(
            "<Trackpoint><Time>@D.000Z</Time><HeartRateBpm><Value>@R</Value></HeartRateBpm>"
            "</Trackpoint>"
        )
        + "</Track></TrainingCenterDatabase>",
    ),
    "GPX": beside(
        "run.gpx",
        f'<?xml version="1.0"?><gpx xmlns="{GPX}" xmlns:g="{GARMIN}"><trk><trkseg>'
        + each(
            '<trkpt lat="48" lon="11"><time>@DZ</time><extensions><g:TrackPointExtension>'
            "<g:hr>@R</g:hr></g:TrackPointExtension></extensions></trkpt>"
        )
        + "</trkseg></trk></gpx>",
    ),
    "Oura": beside(
        "heartrate.json",
        json.dumps(
            {
                "data": [
                    {"bpm": rate, "source": "awake", "timestamp": f"{date}+00:00"}
                    for date, rate in zip(DATES, RATES, strict=True)
                ],
                "next_token": None,
            }
        ),
    ),
    "Withings": beside(
        "raw_hr_hr.csv",
        "start,duration,value\n" + each('@D+00:00,"[1]","[@R]"\n'),
        "--hr-column",
        "value",
    ),
    "Samsung Health": beside(
        "com.samsung.shealth.tracker.heart_rate.csv",
        "com.samsung.shealth.tracker.heart_rate,6312003,1\n"
        + ",".join(
            ["source", *(f"{SAMSUNG}{n}" for n in ("heart_beat_count", "start_time", "custom"))]
        )
        + f",{SAMSUNG}max,{SAMSUNG}time_offset,{SAMSUNG}heart_rate\n"
        + each(",1,@D.000,,@R.0,UTC+0000,@R.0,\n").replace("31T", "31 "),
    ),
    "Zephyr": beside("Summary.csv", "Time,HR,BR,Posture\n" + each("@D.000Z,@R,14.5,-2\n")),
    "PURE": alone(
        "01-01.json",
        json.dumps(
            {
                "/FullPackage": [
                    {
                        "Timestamp": UNIX * 10**9 + i * 20_000_000,
                        "Value": {"o2saturation": 98, "pulseRate": HR[i], "waveform": PPG[i]},
                    }
                    for i in range(len(TIME_S))
                ],
                "/Image": [{"Timestamp": UNIX * 10**9}],
            }
        ),
        started="2024-05-27T08:53:20.000+00:00",
    ),
    "UBFC-rPPG": alone(
        "ground_truth.txt",
        "\n".join(map(line, ((PPG - 51000) / 200, HR, TIME_S))),
        "--columns",
        "ppg,hr,t",
    ),
    "VitalDB": alone(
        "1.csv",
        columns(
            "Time,SNUADC/PLETH,Solar8000/HR", t=lambda row: f"{TIME_S[row]:.2f}", ppg=ppg, hr=hr
        ),
    ),
    "MAXREFDES101": alone(
        "log.csv",
        "device info,MAXREFDES101\nfirmware version,33.13.12\nsample rate,50\n"
        + columns(
            "sample count,grnCnt,irCnt,redCnt,accelX,accelY,accelZ,hr,hrconf,rr,rrconf",
            count=lambda row: str(row % 256),
            ppg=ppg,
            off=lambda row: "0,0",
            acc=lambda row: ",".join(f"{axis:.3f}" for axis in ACC[row]),
            hr=lambda row: f"{HR[row]:.0f}",
            none=lambda row: "100,0,0",
        ),
        acc=True,
    ),
    "LabChart": alone(
        "anna.txt",
        "Interval=\t0.02 s\nChannelTitle=\tPPG\tHeart Rate\nRange=\t10.000 V\t200.0 BPM\n"
        "UnitName=\tV\tBPM\nTopValue=\t10\t200\nBottomValue=\t-10\t0\n"
        + "".join(f"{t:.3f}\t{PPG[i] / 1e5:.6f}\t{HR[i]:.2f}\n" for i, t in enumerate(TIME_S)),
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_convert_takes_it_with_one_option_at_most(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    form = FORMS[name]
    (recording,), _ = converted(form, tmp_path, capsys)
    check(recording, form, off_bpm=0.4)
    assert len([word for word in form.options if word.startswith("--") and "-csv" not in word]) < 2


def test_what_xml_holds_no_heart_rate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gpx"
    path.write_text('<?xml version="1.0"?><gpx><trkpt><time>2024-05-31T12:00:00Z</time>')
    with pytest.raises(DataError, match=r"unreadable as XML .* export it again"):
        open_table(path)
    path.write_text('<?xml version="1.0" encoding="klingon"?><gpx/>')
    with pytest.raises(DataError, match=r"unreadable as XML \(unknown encoding"):
        open_table(path)
    path.write_text("<gpx><trkpt><time>2024-05-31T12:00:00Z</time></trkpt></gpx>")
    with pytest.raises(DataError, match="0 heart rates with a time; allowed: two at least"):
        open_table(path)


def test_a_constant_signal_is_refused_where_it_is_the_only_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("t,ppg,hr\n" + "".join(f"{t},5,70\n" for t in TIME_S))
    with pytest.raises(AssertionError, match="the PPG is constant"):
        converted(Form({"a.csv": (tmp_path / "a.csv").read_bytes()}), tmp_path, capsys)


def test_two_digits_of_a_year_are_read_where_the_day_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    form = beside("hr.csv", "time,hr\n" + each("@D,@R\n").replace("2024-05-31T", "05/06/24 "))
    with pytest.raises(AssertionError, match="time is '05/06/24 12:00:00' in line 2; allowed"):
        converted(form, tmp_path, capsys)
