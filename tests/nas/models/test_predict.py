from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.evaluation import predict_windows
from nas.cli.predict import trace_text
from nas.models.predict import (
    COLUMNS,
    Trace,
    find_recording,
    trace_csv,
    trace_of,
    trace_summary,
)
from nas.models.readout import Decoding, calibrate, cautions, decoding_of
from nas.report.trace import _draw_trace, trace_page
from nas.run.card import Card
from ppg.npz.folder import write_recording
from ppg.readout.confidence import Confidence, HeldOut
from ppg.readout.transitions import Transitions
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, every_window, windows_of
from ppgnas.errors import DataError
from search_spaces.published import published
from tests.nas.fakes import fake_net, write_people
from tests.nas.run.made import made_card

ARCH = published("small")
INPUTS = InputSpec(ARCH.rate_hz, ARCH.acceleration)
SURE = Confidence((0.0, 100.0), (1.0, 11.0))


@pytest.fixture(scope="module")
def recording() -> Recording:
    return synthesize(people=1, minutes=0.5, seed=3)[0]


def test_a_reading_every_two_seconds_with_its_reference(recording: Recording) -> None:
    decoding = Decoding(Transitions(), SURE, SURE)
    trace = trace_of(fake_net(ARCH), recording, inputs=INPUTS, decoding=decoding)
    assert trace.time_s[0] == recording.window_start_s[0] % 2 + 8
    np.testing.assert_allclose(np.diff(trace.time_s), 2.0)
    assert trace.time_s[-1] <= recording.duration_s + 1e-6
    known = np.isfinite(trace.reference_bpm)
    assert known.sum() == recording.usable.sum()
    np.testing.assert_array_equal(trace.reference_bpm[known], recording.hr_bpm[recording.usable])
    expected = trace.expected_error_bpm
    assert expected is not None
    np.testing.assert_allclose(expected, 1 + 0.1 * np.minimum(trace.spread_bpm, 100))


def test_labels_play_no_role(recording: Recording) -> None:
    """The same signals without a reference give the same readings on the same windows."""
    shifted = replace(recording, window_start_s=recording.window_start_s + 0.6)
    wrong = replace(recording, hr_bpm=recording.hr_bpm + 50, valid=np.zeros_like(recording.valid))
    net, decoding = fake_net(ARCH), Decoding()
    plain, other = (trace_of(net, r, inputs=INPUTS, decoding=decoding) for r in (recording, wrong))
    np.testing.assert_array_equal(plain.bpm, other.bpm)
    assert not np.isfinite(other.reference_bpm).any()
    assert every_window(shifted).window_start_s[0] == pytest.approx(
        (recording.window_start_s[0] + 0.6) % 2
    )


def test_a_recording_without_labels(tmp_path: Path, recording: Recording) -> None:
    path = tmp_path / "mine.npz"
    assert recording.acc is not None and recording.acc_hz is not None
    np.savez(
        path,
        ppg=recording.ppg,
        ppg_scale=1.0,
        ppg_fs=recording.ppg_hz,
        acc=recording.acc,
        acc_scale=1.0,
        acc_fs=recording.acc_hz,
    )
    found = find_recording(str(path))
    assert (found.person, found.name, len(found.hr_bpm)) == ("unlabelled/mine", "mine", 0)
    trace = trace_of(fake_net(ARCH), found, inputs=INPUTS, decoding=Decoding())
    assert trace_summary(trace).mae_bpm is None
    assert trace_summary(trace).expected_error_bpm is None
    assert [line for line in trace_csv(trace).splitlines()[1:] if not line.endswith(",,,,")] == []
    with pytest.raises(DataError, match="have no acceleration"):
        bare = replace(found, acc=None, acc_hz=None)
        trace_of(fake_net(ARCH), bare, inputs=INPUTS, decoding=Decoding())


def test_readings_over_a_gap_are_flagged(tmp_path: Path) -> None:
    """From the file to rows, summary and plot; the others stay as they are without the gap."""
    whole = synthesize(people=1, minutes=1.0, seed=3)[0]
    write_recording(tmp_path / "r.npz", replace(whole, gaps=((20.0, 32.0),)))
    found = find_recording(str(tmp_path / "r.npz"))
    assert found.gaps == ((20.0, 32.0),)
    decoding = Decoding(Transitions(), SURE, SURE)
    trace = trace_of(fake_net(ARCH), found, inputs=INPUTS, decoding=decoding)
    plain = trace_of(fake_net(ARCH), whole, inputs=INPUTS, decoding=decoding)
    touched = (trace.time_s > 20) & (trace.time_s - 8 < 32)
    flags = [row["flag"] for row in trace.rows()]
    assert flags == ["gap" if hit else None for hit in touched]
    assert {row["expected_error_smoothed_bpm"] for row in trace.rows() if row["flag"]} == {None}
    np.testing.assert_array_equal(trace.bpm, plain.bpm)
    streamed = trace_of(fake_net(ARCH), found, inputs=INPUTS, decoding=decoding, mode="streaming")
    np.testing.assert_array_equal(streamed.time_s, trace.time_s[~touched])
    assert not any(row["flag"] for row in streamed.rows())
    before = trace.time_s <= 20
    np.testing.assert_array_equal(trace.bpm_smoothed[before], plain.bpm_smoothed[before])
    assert not np.isfinite(trace.reference_bpm[touched]).any()
    summary = trace_summary(trace)
    assert summary.flagged == touched.sum() and summary.expected_error_bpm is not None
    assert (
        summary.reference_readings == (whole.usable & found.measured(whole.window_start_s)).sum()
    )
    said = f"{summary.flagged} flagged (a gap in the signals lies in the window)"
    assert said in trace_text(summary) and "flagged" not in trace_text(trace_summary(plain))
    (band,) = _draw_trace(trace).layout.shapes
    assert (band.x0, band.x1) == (20.0, 40.0)
    assert "grey band" in trace_page(trace) and "grey band" not in trace_page(plain)


@pytest.mark.parametrize(
    ("gap", "flagged"),
    [((16.0, 17.0), range(9, 13)), ((15.99, 17.0), range(9, 13)), ((15.93, 17.0), range(8, 13))],
)
def test_a_window_is_flagged_for_its_samples(
    gap: tuple[float, float], flagged: range, recording: Recording
) -> None:
    """The last sample at 16 Hz stands 62.5 ms before the window's end, as in the C."""
    plain = Recording("a", "d", "r", recording.ppg, recording.ppg_hz, gaps=(gap,))
    plain = replace(plain, acc=recording.acc, acc_hz=recording.acc_hz)
    trace = trace_of(fake_net(ARCH), plain, inputs=INPUTS, decoding=Decoding())
    assert (trace.time_s[~trace.measured] // 2).astype(int).tolist() == list(flagged)


def test_samples_that_are_missing_are_counted(recording: Recording) -> None:
    start_s = np.array([0.0, 6.0, 8.0, 9.0, 12.0])
    for gaps, at_16_hz in (
        (((15.0, 16.0),), [0, 0, 15, 15, 15]),  # between the last sample before and the next
        (((13.9, 14.1),), [0, 1, 3, 3, 3]),
        (((12.0, 13.0), (12.5, 14.0), (29.0, 29.5)), [0, 31, 31, 31, 31]),
        (((0.0, 30.0),), [127, 128, 128, 128, 128]),
    ):
        found = replace(recording, gaps=gaps).missing(start_s, 16)
        np.testing.assert_array_equal(found, at_16_hz)


@pytest.mark.parametrize(("lasts_s", "heard"), [(0.5, True), (0.6, False)])
def test_half_a_second_may_be_missing(lasts_s: float, heard: bool, recording: Recording) -> None:
    net, decoding = fake_net(ARCH), Decoding()
    holed = replace(recording, gaps=((16.0, 16.0 + lasts_s),))
    plain, trace = (
        trace_of(net, one, inputs=INPUTS, decoding=decoding) for one in (recording, holed)
    )
    np.testing.assert_array_equal(trace.bpm, plain.bpm)
    assert (~trace.measured).any()
    assert np.array_equal(trace.bpm_smoothed, plain.bpm_smoothed) == heard


def test_one_of_a_folder_is_named(tmp_path: Path) -> None:
    folder = str(write_people(tmp_path, people=2))
    with pytest.raises(DataError, match=r"`name` is not given; .* holds 2 recordings"):
        find_recording(folder)
    with pytest.raises(DataError, match="`name` is 'x'"):
        find_recording(folder, name="x")
    names = [r.name for r in synthesize(people=2, minutes=0.5, seed=3)]
    assert find_recording(folder, name=names[1]).name == names[1]
    assert find_recording(folder, name=f"synthetic/{names[0]}").name == names[0]
    file = str(next(Path(folder).rglob("*.npz")))
    assert find_recording(file, name=find_recording(file).name).name in names
    with pytest.raises(DataError, match=r"`name` is 'x'; .* holds 1 recording: synthetic/"):
        find_recording(file, name="x")


def test_a_labelled_file_is_read_whole(tmp_path: Path, recording: Recording) -> None:
    path = tmp_path / "labelled.npz"
    write_recording(path, recording)
    assert find_recording(str(path)).usable.sum() == recording.usable.sum()


def made(**columns: np.ndarray | None) -> Trace:
    two = np.array([60.0, 62.0])
    values: dict[str, object] = {
        "time_s": np.array([8.0, 10.0]),
        "bpm": two,
        "bpm_smoothed": two + 1,
        "spread_bpm": two / 10,
        "expected_error_bpm": None,
        "expected_error_smoothed_bpm": None,
        "reference_bpm": np.array([61.0, np.nan]),
        "measured": np.array([True, True]),
        "gaps": (),
    }
    return Trace(name="d/<r>", synthetic=False, **(values | columns))  # type: ignore[arg-type]


def test_rows_csv_and_summary() -> None:
    trace = made(expected_error_bpm=np.array([1.0, 2.0]))
    rows = list(csv.DictReader(io.StringIO(trace_csv(trace))))
    assert tuple(rows[0]) == COLUMNS
    assert rows[1] == {
        "time_s": "10.0",
        "bpm": "62.0",
        "bpm_smoothed": "63.0",
        "spread_bpm": "6.2",
        "expected_error_bpm": "2.0",
        "expected_error_smoothed_bpm": "",
        "reference_bpm": "",
        "flag": "",
    }
    assert trace.rows()[1]["reference_bpm"] is None
    summary = trace_summary(trace)
    assert (summary.mae_bpm, summary.mae_bpm_smoothed) == (1.0, 0.0)
    assert (summary.readings, summary.reference_readings) == (2, 1)


def test_the_plot_shows_what_is_known() -> None:
    names = [t.name for t in _draw_trace(made()).data]
    assert names == ["raw", "reference", "smoothed"]
    bare = made(reference_bpm=np.full(2, np.nan), expected_error_smoothed_bpm=np.array([1.0, 3.0]))
    drawn = _draw_trace(bare)
    assert [t.name for t in drawn.data] == ["expected error", "raw", "smoothed"]
    assert list(drawn.data[0].y) == [62.0, 66.0, 60.0, 60.0]
    page = trace_page(bare)
    assert "<r>" not in page.split("<script")[0] and "&lt;r&gt;" in page


@pytest.mark.parametrize("gaps", [((0.0, 30.0),), ((7.0, 9.0), (15.0, 16.0), (22.0, 23.0))])
def test_a_stream_of_a_recording_that_is_all_gap(
    gaps: tuple[tuple[float, float], ...], recording: Recording
) -> None:
    holed = replace(recording, gaps=gaps)
    with pytest.raises(DataError, match=rf"every 8 s of its 30 s touch one of {len(gaps)} gaps"):
        trace_of(fake_net(ARCH), holed, inputs=INPUTS, decoding=Decoding(), mode="streaming")
    flagged = trace_of(fake_net(ARCH), holed, inputs=INPUTS, decoding=Decoding())
    assert not flagged.measured.any()  # windows are read, and flagged


def test_cautions_name_few_people_and_tables_that_do_not_hold() -> None:
    good, bad = HeldOut(9, 2.0, 2.1), HeldOut(9, 1.0, 2.5)
    assert cautions({}) == cautions({"raw": good, "smoothed": good}) == ()
    (told,) = cautions({"raw": good, "smoothed": bad})
    assert told == (
        "Expected errors of smoothed readings may not hold for other people: for search people "
        "who are left out they say 1.0 BPM, and the error is 2.5."
    )
    (unknown,) = cautions({"raw": good, "smoothed": HeldOut(9, 2.0, 2.1, 0.61, 1.62)})
    assert unknown == (
        "Expected errors of smoothed readings may not hold for other people: 9 search people "
        "cannot tell, with others like them they would be 0.6 to 1.6 times the true ones (90 %, "
        "people resampled)."
    )
    (few,) = cautions({"raw": HeldOut(2, 2.0, 2.1)})
    assert few.startswith("Expected errors rest on 2 search people, and more on how")
    (one,) = cautions({"raw": HeldOut(1, 2.0, 2.1)})
    assert "rest on 1 search person" in one
    assert len(cautions({"raw": HeldOut(2, 1.0, 2.5)})) == 1  # two people say nothing of others
    assert len(cautions({"raw": HeldOut(3, 1.0, 2.5)})) == 2


def test_decoding_is_calibrated_and_kept() -> None:
    people = synthesize(people=2, minutes=0.5, seed=3)
    windows = windows_of(people, ARCH)
    read = predict_windows(fake_net(ARCH), windows, transitions=Transitions(1.0))
    found = calibrate(read, transitions=Transitions(1.0))
    assert found.transitions == Transitions(1.0)
    assert found.raw is not None and found.smoothed is not None
    assert set(found.held_out) == {"raw", "smoothed"} and found.held_out["raw"].people == 2
    assert list(found.search_people_mae_bpm) == ["synthetic/s3p00", "synthetic/s3p01"]
    card = made_card(smoothing=found.transitions, confidence=found.confidence)
    assert decoding_of(Card.from_json(json.loads(json.dumps(card.to_json())))) == found
    assert decoding_of(None) == decoding_of(made_card()) == Decoding()
