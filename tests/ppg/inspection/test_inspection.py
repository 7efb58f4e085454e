"""What `inspect` says of recordings whose faults are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.identity import one_person_groups, trace_distance
from ppg.inspection.inspection import histogram, inspect
from ppg.inspection.notes import faults
from ppg.inspection.signals import (
    railed_share,
    reference_noise_bpm,
    signal_warnings,
)
from ppg.label_lag import aligned
from ppg.naive import RATES_BPM, spectra, still
from ppg.recording import Recording
from tests.ppg.inspection.wrists import wandering as _recording

_LABELS = ("window_start_s", "hr_bpm", "valid", "activity")


def _kinds(recording: Recording) -> list[str]:
    return [kind for kind, _ in signal_warnings(recording)]


def test_spectra_of_a_sine() -> None:
    recording = _recording()
    time_s = np.arange(3000) / 50
    sine = np.sin(2 * np.pi * 1.5 * time_s)[:, None].astype(np.float32)
    found = spectra(replace(recording, ppg=sine, acc=None, acc_hz=None))
    assert found.start_s.tolist() == list(np.arange(0, 52.1, 0.5))
    assert (found.peak_bpm == 90).all()
    np.testing.assert_allclose(found.power.sum(axis=1), 1)
    assert found.power.shape[1] == len(RATES_BPM)
    assert found.at(np.array([-1.0, 0, 2.2, 99])).tolist() == [-1, 0, 4, -1]


def test_still_and_moving_windows() -> None:
    recording = _recording()
    assert recording.acc is not None
    moving = recording.acc.copy()
    moving[:3000, 0] += np.sin(np.arange(3000) / 4).astype(np.float32)
    found = still(replace(recording, acc=moving), recording.window_start_s)
    assert found is not None
    assert not found[:26].any() and found[31:].all()
    assert still(_recording(acc=False), recording.window_start_s) is None


def test_a_good_recording() -> None:
    found = inspect([_recording()])
    (one,) = found.recordings
    assert found.warnings == []
    assert one.naive_mae_bpm is not None and one.naive_mae_bpm < 2
    assert one.still_windows == one.usable_windows == 297
    assert one.lag is not None and one.lag.known and abs(one.lag.shift_s) < 0.5
    document = found.to_json()
    assert document["datasets"]["lab"]["people"] == 1
    assert sum(document["datasets"]["lab"]["hr_histogram"].values()) == 297
    assert document["warnings"] == []


@pytest.mark.parametrize("shift_s", [-11.0, -5.5, -3.0, 3.0, 5.5, 11.0])
def test_labels_that_are_shifted(shift_s: float) -> None:
    recordings = [_recording(seed=seed) for seed in range(2)]
    shifted = [replace(r, window_start_s=r.window_start_s - shift_s) for r in recordings]
    found = inspect(shifted)
    for one in found.recordings:
        assert one.lag is not None and one.lag.wrong
        assert one.lag.shift_s == pytest.approx(shift_s, abs=0.7)
        assert one.lag.low_s - 0.3 <= shift_s <= one.lag.high_s + 0.3
        (caution,) = [c for c in found.warnings if c.recording == one.recording]
        assert caution.kind == "label clock"
        assert f"too {'early' if shift_s > 0 else 'late'}" in caution.message
    (caution,) = [c for c in found.warnings if c.recording is None]  # of the set as a whole
    assert caution.kind == "label clock"


@pytest.mark.parametrize("shift_s", [-6.0, 1.5])
def test_labels_are_moved_back_for_training(shift_s: float) -> None:
    recording = _recording()
    wrong = replace(recording, window_start_s=recording.window_start_s - shift_s)
    right = aligned(wrong)
    offset_s = right.window_start_s - recording.window_start_s
    assert np.ptp(offset_s) < 1e-9 and abs(offset_s[0]) < 0.5
    assert right.label_lag_s == pytest.approx(shift_s + offset_s[0])
    few = replace(  # too few windows to be sure
        wrong, **{key: getattr(wrong, key)[:50] for key in _LABELS}
    )
    assert aligned(few) is few


def test_a_rate_that_does_not_move_says_nothing_of_the_clock() -> None:
    recording = _recording()
    time_s = np.arange(len(recording.ppg)) / 50
    rng = np.random.default_rng(1)
    ppg = np.cos(2 * np.pi * 1.2 * time_s) + 0.3 * rng.standard_normal(len(time_s))
    flat = replace(
        recording,
        ppg=ppg[:, None].astype(np.float32),
        hr_bpm=np.full(len(recording.hr_bpm), 72.0),
        window_start_s=recording.window_start_s - 6,
    )
    (one,) = inspect([flat]).recordings
    assert one.lag is not None and not one.lag.wrong


def test_labels_of_somebody_else_are_poor_not_shifted() -> None:
    foreign = replace(_recording(seed=1), hr_bpm=_recording(seed=2).hr_bpm[::-1] + 35)
    assert "poor at rest" in [caution.kind for caution in inspect([foreign]).warnings]


def test_rest_is_claimed_where_it_is_known_alone() -> None:
    """Without acceleration nobody knows who sits still, unless it was written down."""
    walking = replace(_recording(acc=False), hr_bpm=_recording(seed=2).hr_bpm[::-1] + 35)
    found = inspect([walking])
    (one,) = found.recordings
    assert one.naive_mae_bpm is not None and one.naive_mae_bpm > 15
    assert (one.still_windows, one.naive_still_mae_bpm) == (0, None)
    assert "rest" not in " ".join(c.kind for c in found.warnings)
    activity = np.repeat([0, 1, -1], 99)
    noted = replace(walking, activity=activity, activity_names=("Sitting", "walk"))
    found = inspect([noted])
    assert found.recordings[0].still_windows == 99
    (poor,) = [c.message for c in found.warnings if c.kind == "poor at rest"]
    assert "in 99 windows annotated as rest: a poor signal" in poor
    moved = replace(noted, activity_names=("cycling", "walk"))
    assert inspect([moved]).recordings[0].still_windows == 0


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(lambda acc: 0 * acc, id="a dead sensor"),
        pytest.param(lambda acc: acc / 9.80665, id="scaled twice"),
        pytest.param(lambda acc: acc - [0, 0, 1], id="gravity taken out"),
    ],
)
def test_an_acceleration_without_gravity_is_no_rest(
    spoilt: Callable[[NDArray[np.float32]], NDArray[np.float64]],
) -> None:
    recording = _recording(seed=1)
    assert recording.acc is not None
    size = np.linalg.norm(recording.acc, axis=1)
    plain = np.zeros_like(recording.acc)
    plain[:, 2] = size / np.median(size)
    walking = replace(recording, hr_bpm=_recording(seed=2).hr_bpm[::-1] + 35, acc=plain)
    assert inspect([walking]).recordings[0].still_windows > 50
    found = inspect([replace(walking, acc=spoilt(plain).astype(np.float32))])
    assert found.recordings[0].still_windows == 0
    assert not any(caution.kind == "poor at rest" for caution in found.warnings)
    noted = replace(
        walking,
        acc=spoilt(plain).astype(np.float32),
        activity=np.repeat([0, 1, -1], 99),
        activity_names=("Sitting", "walk"),
    )
    (poor,) = [c.message for c in inspect([noted]).warnings if c.kind == "poor at rest"]
    assert "in 99 windows annotated as rest: a poor signal" in poor


def test_an_acceleration_that_ends_early_is_no_rest_from_there_on() -> None:
    recording = _recording()
    assert recording.acc is not None
    ended = recording.acc.copy()
    ended[len(ended) // 2 :] = 0
    ended[: len(ended) // 2 + 10] = recording.acc[: len(ended) // 2 + 10]
    found = still(replace(recording, acc=ended), recording.window_start_s)
    assert found is not None
    assert found[:140].all() and not found[153:].any()


@pytest.mark.parametrize(
    ("names", "codes", "still"),
    [
        (("Rest", "walk"), (0, 1, 1), 99),
        (("lying", "running"), (1, 0, -1), 99),
        (("walk", "stairs"), (0, 1, 0), 0),
        (("arrested", "restless walk"), (0, 1, 0), 0),  # no word of rest
        ((), (-1, -1, -1), 0),
    ],
)
def test_who_rests_is_what_was_written_down(
    names: tuple[str, ...], codes: tuple[int, int, int], still: int
) -> None:
    activity = np.repeat(codes, 99)
    noted = replace(_recording(acc=False), activity=activity, activity_names=names)
    assert inspect([noted]).recordings[0].still_windows == still


def test_recordings_without_a_reference_are_looked_at() -> None:
    bare = replace(_recording(), **{key: getattr(_recording(), key)[:0] for key in _LABELS})
    wrong = replace(_recording(seed=1), valid=np.zeros(297, np.bool_))
    found = inspect([bare, wrong, _recording(seed=2)])
    row = found.datasets["lab"]
    assert (row.recordings, row.unlabelled, row.usable_windows) == (3, 2, 297)
    (caution,) = [c for c in found.warnings if c.kind == "no reference"]
    assert caution.message.startswith("lab: 2 of 3 recordings have no usable reference heart rate")
    assert found.recordings[0].naive_mae_bpm is None and found.recordings[0].lag is None
    assert not [c for c in found.warnings if c.recording == "lab/r0"]
    railed = replace(bare, ppg=np.clip(bare.ppg, -0.5, 0.5))
    assert [c.kind for c in inspect([railed]).warnings] == ["no reference", "railed"]


def test_gaps_are_told() -> None:
    holed = replace(_recording(), gaps=((20.0, 32.0), (90.0, 91.5)))
    ((kind, message),) = signal_warnings(holed)
    assert kind == "gaps" and message.startswith("2 gaps of 13.5 s in all, the longest of 12.0 s")
    assert message.endswith("predict flags them")
    for in_ms in (((20e3, 32e3),), ((20e3, 32e3), (90e3, 91e3)), ((20.0, 30.0), (601.0, 700.0))):
        ((_, message),) = signal_warnings(replace(holed, gaps=in_ms))
        beyond = 1 if in_ms[0][0] < 600 else len(in_ms)
        assert message.endswith(f"; {beyond} of them after the end: are they in s?")


def test_rails_and_dead_channels() -> None:
    recording = _recording()
    clipped = np.clip(recording.ppg, -0.8, 0.8)
    assert railed_share(clipped[:, 0]) > 0.1
    assert railed_share(recording.ppg[:, 0]) == 0.0
    both = np.concatenate([clipped, np.zeros_like(clipped), recording.ppg], axis=1)
    found = dict(signal_warnings(replace(recording, ppg=both)))
    assert found["railed"].startswith("PPG channel 1 stays")
    assert found["constant"].startswith("PPG channel 2 is constant")
    assert len(found) == 2


def test_a_rail_with_noise_about_it() -> None:
    rng = np.random.default_rng(0)
    channel = np.minimum(rng.normal(4095, 20, 20_000).round(), 4095).astype(np.float32)
    channel[::2] -= 40  # never three in a row
    assert railed_share(channel) > 0.2


def test_values_that_are_no_numbers() -> None:
    recording = _recording()
    broken = recording.ppg.copy()
    broken[5] = np.nan
    assert _kinds(replace(recording, ppg=broken)) == ["not finite"]


def test_durations_and_labels() -> None:
    recording = _recording()
    assert recording.acc is not None
    assert "durations" in _kinds(replace(recording, acc=recording.acc[:20_000]))
    assert "reference" in _kinds(replace(recording, valid=np.arange(297) % 4 > 0))
    assert "reference" in _kinds(replace(recording, window_start_s=recording.window_start_s + 99))


def test_half_of_the_rate_is_noticed() -> None:
    """Labels in seconds then cover half of a signal that seems twice as long."""
    recording = _recording()
    assert recording.acc_hz is not None
    slow = replace(recording, ppg_hz=recording.ppg_hz / 2, acc_hz=recording.acc_hz / 2)
    (text,) = (text for kind, text in signal_warnings(slow) if kind == "reference")
    assert "labels cover 600 of 1200 s" in text and "the rate of 25 Hz is wrong" in text


def test_one_person_under_two_names() -> None:
    first, other = _recording(seed=1), _recording(seed=2)
    copy = replace(first, subject="x", dataset="elsewhere", name="y")
    (found,) = one_person_groups([first, other, copy])
    assert found.people == ("elsewhere/x", "lab/p1")
    assert [link.why for link in found.links] == ["the same PPG samples"]
    # Resampled, cut and relabelled with other rounding: only the heart rates tell.
    cut = replace(
        copy,
        ppg=first.ppg[2000:][::2].copy(),
        ppg_hz=25.0,
        acc=None,
        acc_hz=None,
        hr_bpm=np.round(first.hr_bpm[20:]),
        window_start_s=first.window_start_s[:-20],
        valid=first.valid[20:],
        activity=first.activity[20:],
    )
    ((_, (pair,)),) = one_person_groups([first, other, cut])
    assert {pair.left.name, pair.right.name} == {"r1", "y"} and "agree to 0." in pair.why
    (warning,) = inspect([first, cut]).warnings
    assert warning.kind == "one person twice" and "lab/r1" in warning.message
    # Two recordings of one person under one name are no doubles.
    assert one_person_groups([first, replace(cut, subject="p1", dataset="lab")]) == []
    # Who is one with two others makes them one too.
    noted = replace(other, also_in=("x",))
    (found,) = one_person_groups([noted, first, copy])
    assert len(found.people) == 3 and len(found.links) == 2


def test_a_stretch_of_equal_samples_tells_one_person() -> None:
    first, other = _recording(seed=1), _recording(seed=2)
    for recording in (first, other):  # falls into zeros, as anybody's
        recording.ppg[3000:4000] = 0
    short = replace(
        first,
        subject="x",
        name="y",
        ppg=first.ppg[10_007:11_000],
        acc=None,
        acc_hz=None,
        window_start_s=first.window_start_s[:6],
        hr_bpm=first.hr_bpm[:6],
        valid=first.valid[:6],
        activity=first.activity[:6],
    )
    (found,) = one_person_groups([other, first, short])
    assert found.people == ("lab/p1", "lab/x")
    assert found.links[0].why == "the same PPG samples for 4 s or more"


def test_trace_distance_by_hand() -> None:
    rng = np.random.default_rng(0)
    trace = 80 + np.cumsum(rng.normal(size=400))
    assert trace_distance(trace, trace[130:300]) == pytest.approx(0, abs=1e-4)
    assert trace_distance(trace, trace[130:300] + 2) == pytest.approx(2, abs=0.2)
    assert trace_distance(trace[:100], trace) is None
    assert trace_distance(np.full(200, 70.0), np.full(200, 70.0)) is None
    brute = min(
        float(np.sqrt(np.mean((trace[k : k + 150] - trace[250:] - 3) ** 2))) for k in range(251)
    )
    found = trace_distance(trace, trace[250:] + 3)
    assert found is not None and found <= brute + 1e-9


def test_the_histogram() -> None:
    recording = _recording()
    rates = np.full(297, np.nan)
    rates[:4] = 59.9, 60.0, 69.9, 85.0
    assert histogram([replace(recording, hr_bpm=rates)]) == {"50": 1, "60": 2, "70": 0, "80": 1}


def test_reference_noise_is_what_was_added() -> None:
    clean = _recording(seconds=4000)
    error = np.random.default_rng(0).normal(0, 1.5, len(clean.hr_bpm))
    noisy = replace(clean, hr_bpm=clean.hr_bpm + error)
    quiet, found = reference_noise_bpm(clean), reference_noise_bpm(noisy)
    assert quiet is not None and quiet < 0.2  # what the turns of the rate count
    assert found == pytest.approx(np.abs(error).mean(), rel=0.05)
    slipped = replace(noisy, valid=np.arange(len(error)) % 3 > 0)
    assert reference_noise_bpm(slipped) is None  # never three in a row
    assert inspect([noisy]).to_json()["datasets"]["lab"]["reference_noise_bpm"] == found


@pytest.mark.parametrize(("bpm", "from_s"), [(60.0, 0), (98.0, 0), (72.0, 300), (130.0, 400)])
def test_a_heart_rate_that_never_changes_is_told(bpm: float, from_s: float) -> None:
    one = _recording()
    labels = np.where(one.window_start_s >= from_s, bpm, one.hr_bpm)
    found = inspect([replace(one, hr_bpm=labels)])
    assert f"the heart rate is {bpm:g} BPM in each window from {from_s:g} to" in next(
        w.message for w in found.warnings if w.kind == "reference"
    )
    assert not {"rate", "label clock drifts"} & {w.kind for w in found.warnings}
    froze = replace(one, hr_bpm=labels, name="froze")
    (note,) = faults([one, froze])
    assert note.startswith(
        "1 of 2 recordings has a reference that looks wrong (the first is lab/froze"
    )
    assert faults([one, replace(froze, synthetic=True)]) == []


def test_a_simulator_that_keeps_its_rate_is_right() -> None:
    time_s = np.arange(30_000) / 50
    beats = np.sin(2 * np.pi * 1.0 * time_s) + 0.4 * np.sin(4 * np.pi * time_s)
    one = replace(_recording(acc=False), ppg=beats[:, None].astype(np.float32))
    found = inspect([replace(one, hr_bpm=np.full(len(one.hr_bpm), 60.0))])
    assert "reference" not in {w.kind for w in found.warnings}
