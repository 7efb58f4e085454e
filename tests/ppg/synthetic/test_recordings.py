"""The synthetic recordings as a data set: shape, labels, repeatability, difficulty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from ppg.npz.folder import fingerprint, read_folder, write_recording
from ppg.recording import Recording
from ppg.synthetic.recordings import Truth, synthesize, synthesize_person
from ppgnas.errors import DataError

REST, WALK, RUN, RECOVERY = range(4)


@pytest.fixture(scope="module")
def made() -> list[tuple[Recording, Truth]]:
    return [synthesize_person(number) for number in range(20)]


def spectral_peak(recording: Recording) -> NDArray[np.float64]:
    """The naive estimator: highest peak of the periodogram of one channel, per window."""
    rate = recording.ppg_hz
    band = signal.butter(3, (0.5, 4.0), btype="bandpass", fs=rate, output="sos")
    clean = signal.sosfiltfilt(band, recording.ppg[:, 0])
    samples = round(8 * rate)
    frequency = np.fft.rfftfreq(8192, 1 / rate)
    allowed = (frequency > 0.5) & (frequency < 3.6)
    read = []
    for start in np.rint(recording.window_start_s * rate).astype(int):
        window = clean[start : start + samples] * np.hanning(samples)
        power = np.abs(np.fft.rfft(window, 8192))
        read.append(60 * frequency[allowed][np.argmax(power[allowed])])
    return np.array(read)


def test_shape_of_the_data_set(made: list[tuple[Recording, Truth]]) -> None:
    rates = set()
    for recording, _ in made:
        assert recording.synthetic and recording.dataset == "synthetic"
        assert recording.ppg.shape == (3 * 60 * 64, 2) and recording.ppg.dtype == np.float32
        assert recording.acc is not None and recording.acc.dtype == np.float32
        assert recording.acc_hz is not None
        assert len(recording.acc) == 3 * 60 * recording.acc_hz
        rates.add(recording.acc_hz)
        assert recording.window_start_s.tolist() == list(range(0, 173, 2))
        assert recording.activity_names == ("rest", "walk", "run", "recovery")
        assert set(recording.activity.tolist()) == {REST, WALK, RUN, RECOVERY}
    assert rates == {32.0, 50.0}
    assert len({recording.person for recording, _ in made}) == 20


def test_synthesize_gives_the_same_people(made: list[tuple[Recording, Truth]]) -> None:
    few = synthesize(people=3)
    assert [r.name for r in few] == ["s0p00", "s0p01", "s0p02"]
    for recording, (expected, _) in zip(few, made, strict=False):
        assert fingerprint([recording]) == fingerprint([expected])


def test_seed_and_number_decide_everything() -> None:
    first, again = synthesize(people=2, minutes=1), synthesize(people=2, minutes=1)
    assert fingerprint(first) == fingerprint(again)
    other = synthesize(people=2, minutes=1, seed=1)
    assert first[0].person != other[0].person  # two people never share a name
    assert not np.array_equal(first[0].ppg, other[0].ppg)
    assert not np.array_equal(first[0].ppg, first[1].ppg)


def test_traits_do_not_depend_on_the_length() -> None:
    short, long = (synthesize_person(4, minutes=m)[1].person for m in (1.0, 3.0))
    assert short.resting_bpm == long.resting_bpm and short.acc_hz == long.acc_hz


def test_labels_agree_with_counted_beats(made: list[tuple[Recording, Truth]]) -> None:
    """Oracle: whole intervals between the first and the last beat of the window."""
    for recording, truth in made[:6]:
        difference = []
        for start, label in zip(recording.window_start_s, recording.hr_bpm, strict=True):
            beat_s = truth.heart.beat_s
            inside = beat_s[(beat_s >= start) & (beat_s < start + 8)]
            counted = 60 * (len(inside) - 1) / (inside[-1] - inside[0])
            difference.append(label - counted)
        assert abs(np.mean(difference)) < 0.3
        assert np.std(difference) < 1.5


def test_heart_rates_are_those_of_exercise(made: list[tuple[Recording, Truth]]) -> None:
    rates = np.concatenate([r.hr_bpm for r, _ in made])
    activity = np.concatenate([r.activity for r, _ in made])
    assert rates.min() > 40 and rates.max() < 205
    medians = [float(np.median(rates[activity == a])) for a in (REST, WALK, RUN)]
    assert 55 < medians[0] < 85 < medians[1] < 115 < medians[2] < 160
    for recording, truth in made:
        assert recording.hr_bpm.max() < truth.person.highest_bpm + 5


def test_windows_without_contact_are_invalid(made: list[tuple[Recording, Truth]]) -> None:
    lost_share = []
    for recording, truth in made:
        for start, valid in zip(recording.window_start_s, recording.valid, strict=True):
            inside = (truth.time_s >= start) & (truth.time_s < start + 8)
            assert valid == (not truth.lost[inside].any())
        lost_share.append(1 - recording.valid.mean())
    assert 0.01 < np.mean(lost_share) < 0.15
    # Off the skin there is next to no light.
    recording, truth = next(pair for pair in made if pair[1].lost.sum() > 200)
    on, off = recording.ppg[~truth.lost, 0], recording.ppg[truth.lost, 0]
    assert np.median(off) < 0.2 * np.median(on)


def test_naive_estimator_is_right_at_rest_and_lost_in_motion() -> None:
    for seed in (0, 1):
        errors: dict[int, list[float]] = {REST: [], WALK: [], RUN: [], RECOVERY: []}
        people = []
        for recording in synthesize(people=16, seed=seed):
            error = np.abs(spectral_peak(recording) - recording.hr_bpm)
            people.append(error[recording.usable].mean())
            for kind, values in errors.items():
                values.extend(error[recording.usable & (recording.activity == kind)])
        assert 12 < np.mean(people) < 25
        assert np.mean(errors[REST]) < 4
        assert np.mean(errors[WALK]) > 12
        assert np.mean(errors[RUN]) > 16


def test_counts_are_whole_and_stay_within_the_converter(
    made: list[tuple[Recording, Truth]],
) -> None:
    flat = 0
    for recording, truth in made:
        assert np.array_equal(recording.ppg, np.rint(recording.ppg))
        assert recording.ppg.min() >= 0 and recording.ppg.max() <= 65535
        for channel in recording.ppg[~truth.lost].T:
            still = np.diff(np.flatnonzero(np.diff(channel) != 0), prepend=0)
            flat += still.max() >= 8
    assert 5 <= flat < 40  # some channels, not all, meet a rail for a while


def test_round_trip_keeps_the_mark(tmp_path: Path) -> None:
    recordings = synthesize(people=2, minutes=1)
    for recording in recordings:
        write_recording(tmp_path / "made" / f"{recording.name}.npz", recording)
    read = read_folder(tmp_path)
    assert fingerprint(read) == fingerprint(recordings)
    assert all(r.synthetic for r in read)


def test_shortest_recordings_hold_all_activities() -> None:
    for recording in synthesize(people=4, minutes=1):
        assert len(recording.hr_bpm) == 27
        assert set(recording.activity.tolist()) == {REST, WALK, RUN, RECOVERY}
    assert len(synthesize(people=1, minutes=0.5)[0].hr_bpm) == 12


def test_long_recordings_repeat_the_session() -> None:
    _, truth = synthesize_person(0, minutes=13)
    assert sum(segment.activity == RUN for segment in truth.segments) == 2


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: synthesize(people=0), "people is 0; allowed: 1 or more"),
        (lambda: synthesize(minutes=0.2), "minutes is 0.2; allowed: 0.5 or more"),
        (lambda: synthesize(minutes=float("nan")), "minutes is nan"),
        (lambda: synthesize(seed=-1), "seed is -1"),
    ],
)
def test_bad_arguments(call: Callable[[], object], expected: str) -> None:
    with pytest.raises(DataError) as caught:
        call()
    assert expected in str(caught.value)
