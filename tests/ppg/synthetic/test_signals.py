"""What a physiologist would look for in the synthetic signals, each against a simple oracle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from ppg.recording import Recording
from ppg.synthetic.heart import Heart, Segment, simulate_heart
from ppg.synthetic.noise import PPG_HZ, bump, episodes, follow, wander
from ppg.synthetic.person import Person, draw_person
from ppg.synthetic.pulse import waveform
from ppg.synthetic.recordings import Truth, synthesize_person

REST, WALK, RUN, RECOVERY = range(4)


@pytest.fixture(scope="module")
def made() -> list[tuple[Recording, Truth]]:
    return [synthesize_person(number, minutes=6, seed=5) for number in range(20)]


def _heart(person: Person, *segments: Segment, seed: int = 0) -> Heart:
    rng = np.random.default_rng(seed)
    return simulate_heart(rng, person, segments=segments)


def _person(seed: int = 0, **traits: Any) -> Person:
    return replace(draw_person(np.random.default_rng(seed)), **traits)


def _within(truth: Truth, kind: int, *, settle_s: float = 0.0) -> NDArray[np.bool_]:
    """`(samples,)` True in the first segment of an activity, sensor on the skin."""
    segment = next(s for s in truth.segments if s.activity == kind)
    time_s = truth.time_s
    inside = (time_s >= segment.start_s + settle_s) & (time_s < segment.end_s)
    return np.asarray(inside & ~truth.lost)


def test_on_and_off_kinetics_are_first_order() -> None:
    person = _person(resting_bpm=60, highest_bpm=190, on_s=20, off_s=50)
    heart = _heart(
        person,
        Segment(REST, 0, 200, 0.0),
        Segment(WALK, 200, 500, 0.5),
        Segment(RECOVERY, 500, 900, 0.0),
    )

    def rate(time_s: float) -> float:
        return float(np.interp(time_s, heart.time_s, heart.rate_bpm))

    assert rate(190) == pytest.approx(60, abs=7)
    assert rate(480) == pytest.approx(125, abs=7)
    assert rate(220) == pytest.approx(60 + 65 * (1 - np.exp(-1)), abs=9)
    assert rate(550) == pytest.approx(60 + 65 * np.exp(-1), abs=9)


def test_beats_come_at_the_smooth_rate_and_stay_in_order() -> None:
    for seed in range(10):
        person = _person(seed)
        heart = _heart(person, Segment(REST, 0, 120, 0.0), Segment(RUN, 120, 240, 0.8), seed=seed)
        interval_s = np.diff(heart.beat_s)
        assert interval_s.min() > 0.2 and interval_s.max() < 2.0
        start_s = np.arange(0.0, 230.0, 10)
        smooth = [
            heart.rate_bpm[(heart.time_s >= s) & (heart.time_s < s + 8)].mean() for s in start_s
        ]
        difference = heart.mean_bpm(start_s, length_s=8) - smooth
        assert abs(difference.mean()) < 1.0 and np.abs(difference).max() < 8


def test_mean_bpm_by_hand() -> None:
    heart = _heart(_person(), Segment(REST, 0, 60, 0.0))
    even = replace(heart, beat_s=np.arange(0.0, 60.0, 0.75))  # 80 BPM
    assert even.mean_bpm(np.array([0.0, 3.1]), length_s=8) == pytest.approx([80, 80])
    uneven = replace(heart, beat_s=np.array([0.0, 2.0, 3.0, 4.0]))
    # 1 to 3.5 s: half an interval, one, and half of one: 2 beats in 2.5 s
    assert uneven.mean_bpm(np.array([1.0]), length_s=2.5) == pytest.approx([48])


@pytest.mark.parametrize("seed", range(6))
def test_beats_breathe(seed: int) -> None:
    """The spectrum of the beat intervals at rest peaks at the breathing rate."""
    person = _person(seed, arrhythmia=0.05, premature_share=0.0)
    heart = _heart(person, Segment(REST, 0, 400, 0.0), seed=seed)
    even_s = np.arange(0, 400, 0.25)
    interval_s = np.interp(even_s, heart.beat_s[1:], np.diff(heart.beat_s))
    frequency, power = signal.welch(signal.detrend(interval_s), fs=4, nperseg=400)
    band = (frequency > 0.14) & (frequency < 0.5)
    peak_hz = frequency[band][np.argmax(power[band])]
    inside = (heart.time_s > 0) & (heart.time_s < 400)
    assert peak_hz == pytest.approx(heart.breathing_hz[inside].mean(), abs=0.03)


def test_inspiration_speeds_the_heart_up() -> None:
    person = _person(arrhythmia=0.06, jitter_s=0.0, premature_share=0.0)
    heart = _heart(person, Segment(REST, 0, 600, 0.0))
    middle_s = (heart.beat_s[1:] + heart.beat_s[:-1]) / 2
    breath = np.sin(np.interp(middle_s, heart.time_s, heart.breath_rad))
    assert np.corrcoef(breath, 1 / np.diff(heart.beat_s))[0, 1] > 0.5


def test_variability_shrinks_with_effort() -> None:
    ratios = []
    for seed in range(8):
        person = _person(seed, premature_share=0.0)
        heart = _heart(person, Segment(REST, 0, 200, 0.0), Segment(RUN, 200, 400, 0.8), seed=seed)
        step_s = np.abs(np.diff(np.diff(heart.beat_s)))  # successive differences, as in RMSSD
        when_s = heart.beat_s[2:]
        rest = np.sqrt(np.mean(step_s[(when_s > 20) & (when_s < 195)] ** 2))
        run = np.sqrt(np.mean(step_s[when_s > 320] ** 2))
        assert 0.008 < rest < 0.15  # RMSSD of healthy adults: about 20-80 ms
        ratios.append(run / rest)
    assert max(ratios) < 0.4


def test_premature_beats_are_early_and_weak_but_keep_time() -> None:
    person = _person(premature_share=0.05, jitter_s=0.0, arrhythmia=0.0)
    heart = _heart(person, Segment(REST, 0, 600, 0.0))
    single = np.flatnonzero(heart.premature)
    single = single[(single > 2) & (single < len(heart.beat_s) - 3)]
    single = single[~heart.premature[single - 1] & ~heart.premature[single + 1]]
    assert len(single) > 10
    interval_s = np.diff(heart.beat_s)
    usual = np.median(interval_s)
    assert np.median(interval_s[single - 1]) == pytest.approx(0.72 * usual, rel=0.08)
    assert np.median(interval_s[single]) == pytest.approx(1.28 * usual, rel=0.08)


def test_pulse_has_a_systolic_peak_a_notch_and_a_dicrotic_wave() -> None:
    phase = np.arange(500) / 500
    wave = waveform(phase, np.full(500, 60.0), dicrotic=0.3, tidal=0.25)
    peaks, shape = signal.find_peaks(wave, prominence=0.01)
    assert len(peaks) == 2
    systolic, dicrotic = phase[peaks]
    assert 0.1 < systolic < 0.2  # seconds after the foot, as one beat lasts a second
    ejection_s = 0.413 - 0.0017 * 60
    notch = phase[peaks[0] + np.argmin(wave[peaks[0] : peaks[1]])]
    assert notch == pytest.approx(ejection_s, abs=0.06)
    assert notch < dicrotic < 0.55
    assert wave[peaks[0]] > 2 * wave[peaks[1]]
    assert shape["prominences"][0] > 0.8
    fast = waveform(phase, np.full(500, 150.0), dicrotic=0.3, tidal=0.25)
    assert phase[np.argmax(fast)] > systolic  # systole takes a larger share of a fast beat
    assert abs(wave[0] - wave[-1]) < 0.05  # beats join without a step


def test_average_clean_beat_shows_the_notch(made: list[tuple[Recording, Truth]]) -> None:
    band = signal.butter(2, (0.4, 12.0), btype="bandpass", fs=PPG_HZ, output="sos")
    second = []
    for recording, truth in made:
        passed = np.interp(
            truth.time_s - truth.person.transit_s,
            truth.heart.beat_s,
            np.arange(len(truth.heart.beat_s)),
        )
        rest = _within(truth, REST)
        clean = signal.sosfiltfilt(band, recording.ppg[:, 0])[rest]
        bins = (passed[rest] % 1 * 40).astype(int)
        beat = np.array([np.median(clean[bins == b]) for b in range(40)])
        beat = (beat - beat.min()) / np.ptp(beat)
        assert 3 <= np.argmax(beat) <= 10  # the systolic peak, first quarter of the beat
        late = signal.find_peaks(beat, prominence=0.02)[0]
        second.append(bool(np.any((late >= 14) & (late <= 26))))
    assert np.mean(second) > 0.5  # stiff arteries hide it in some


def test_shapes_differ_between_people(made: list[tuple[Recording, Truth]]) -> None:
    dicrotic = [truth.person.dicrotic for _, truth in made]
    age = [truth.person.age_years for _, truth in made]
    assert np.ptp(dicrotic) > 0.1
    assert np.corrcoef(age, dicrotic)[0, 1] < -0.6
    perfusion = [truth.person.perfusion for _, truth in made]
    assert max(perfusion) > 2 * min(perfusion)


def test_pulse_trails_the_beat_by_the_transit_time(made: list[tuple[Recording, Truth]]) -> None:
    _, truth = made[0]
    peaks = signal.find_peaks(truth.pulse, height=0.5, distance=round(0.3 * PPG_HZ))[0]
    peak_s = truth.time_s[peaks]
    before = truth.heart.beat_s[np.searchsorted(truth.heart.beat_s, peak_s) - 1]
    assert 0.2 < np.median(peak_s - before) < 0.45  # transit to the foot, then the upstroke


def test_accelerometer_reads_gravity_and_cadence(made: list[tuple[Recording, Truth]]) -> None:
    for recording, truth in made:
        assert recording.acc is not None and recording.acc_hz is not None
        time_s = np.arange(len(recording.acc)) / recording.acc_hz
        size_g = np.linalg.norm(recording.acc, axis=1)
        segment = truth.segments[0]
        assert np.median(size_g[time_s < segment.end_s]) == pytest.approx(1, abs=0.05)
        run = next(s for s in truth.segments if s.activity == RUN)
        settle_s = run.end_s - run.start_s - 20  # a locked cadence has settled, as the heart has
        inside = (time_s > run.start_s + settle_s) & (time_s < run.end_s)
        moving = recording.acc[inside] - recording.acc[inside].mean(axis=0)
        assert 0.25 < moving.std(axis=0).max() < 2.0
        frequency, power = signal.welch(
            moving, fs=recording.acc_hz, nperseg=256, nfft=4096, axis=0
        )
        step_hz = np.median(truth.motion.step_hz[_within(truth, RUN, settle_s=settle_s)])
        peak_hz = frequency[np.argmax(power.sum(axis=1))]
        ratio = peak_hz / (step_hz / 2)  # a multiple of the stride rate
        assert ratio == pytest.approx(round(ratio), abs=0.12) and 1 <= round(ratio) <= 4


def test_orientation_changes_between_activities(made: list[tuple[Recording, Truth]]) -> None:
    angles = []
    for _, truth in made:
        rest = truth.motion.acc_g[_within(truth, REST)].mean(axis=0)
        walk = truth.motion.acc_g[_within(truth, WALK, settle_s=3)].mean(axis=0)
        cosine = rest @ walk / np.linalg.norm(rest) / np.linalg.norm(walk)
        angles.append(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    assert np.median(angles) > 15


def test_ppg_follows_the_accelerometer_in_motion(made: list[tuple[Recording, Truth]]) -> None:
    """Coherence at the strongest frequency of motion: high while running, low at rest."""
    coherent: dict[int, list[float]] = {REST: [], RUN: []}
    for recording, truth in made:
        assert recording.acc is not None and recording.acc_hz is not None
        acc = signal.resample_poly(
            recording.acc, 64, int(recording.acc_hz), axis=0, padtype="line"
        )[: len(recording.ppg)]
        for kind, values in coherent.items():
            inside = _within(truth, kind, settle_s=3)
            pair = acc[inside], recording.ppg[inside][:, :1]
            frequency, found = signal.coherence(*pair, fs=PPG_HZ, nperseg=512, axis=0)
            _, power = signal.welch(pair[0], fs=PPG_HZ, nperseg=512, axis=0)
            band = (frequency > 0.8) & (frequency < 4)
            values.append(float(found[band].max(axis=1)[np.argmax(power[band].sum(axis=1))]))
    assert np.median(coherent[RUN]) > 0.7
    assert np.median(coherent[REST]) < 0.5


def test_artefact_differs_between_channels_and_grows_with_motion(
    made: list[tuple[Recording, Truth]],
) -> None:
    ratio, strong = [], []
    for _, truth in made:
        rest, run = _within(truth, REST), _within(truth, RUN, settle_s=3)
        sizes = truth.artefact[run].std(axis=0)
        ratio.append(sizes.max() / sizes.min())
        strong.append(sizes.mean())
        assert sizes.mean() > 4 * np.median(np.abs(truth.artefact[rest]))
        assert np.abs(truth.artefact).max() <= 6
    assert np.median(ratio) > 1.15
    # Above the pulse, which is 1 tall, and not so far that nothing of it is left.
    assert 0.3 < np.median(strong) < 1.5 and max(strong) < 3


def test_cadence_is_sometimes_locked_near_the_heart_rate(
    made: list[tuple[Recording, Truth]],
) -> None:
    shares = []
    for _, truth in made:
        motion = truth.motion
        stepping = motion.step_hz > 0
        shares.append(motion.locked.sum() / stepping.sum())
        heart_hz = np.interp(truth.time_s, truth.heart.time_s, truth.heart.rate_bpm) / 60
        off = np.abs(motion.step_hz / heart_hz - 1)[motion.locked]
        if len(off) > 640:
            assert np.median(off) < 0.08
        assert not motion.locked[~stepping].any()
        steps = motion.step_hz[stepping]
        assert 1.1 < steps.min() and steps.max() < 3.6
    assert sum(share > 0.2 for share in shares) >= 4
    assert sum(share == 0 for share in shares) >= 4


def test_wander_has_the_stated_spread_and_memory() -> None:
    rng = np.random.default_rng(0)
    row = wander(rng, 200_000, rate_hz=10, time_constant_s=2, sd=3.0)
    assert row.std() == pytest.approx(3, rel=0.05)
    correlation = np.corrcoef(row[:-20], row[20:])[0, 1]  # one time constant later
    assert correlation == pytest.approx(np.exp(-1), abs=0.05)
    starts = [wander(rng, 1, rate_hz=10, time_constant_s=2, sd=3.0)[0] for _ in range(2000)]
    assert np.std(starts) == pytest.approx(3, rel=0.08)


def test_follow_is_a_first_order_lag() -> None:
    target = np.r_[np.full(10, 2.0), np.full(990, 5.0)]
    lagged = follow(target, rate_hz=100, time_constant_s=1.0)
    assert lagged[:10] == pytest.approx(2.0)
    assert lagged[109] == pytest.approx(5 - 3 * np.exp(-1), abs=0.02)


def test_episodes_and_bump() -> None:
    found = episodes(np.random.default_rng(0), 6000, per_minute=2, shortest_s=1, longest_s=3)
    assert 160 < len(found) < 240
    assert all(1 <= end - start <= 3 for start, end in found)
    time_s = np.arange(0, 5, 0.5)
    assert bump(time_s, 1, 3, edge_s=1).tolist() == [0, 0, 0, 0.5, 1, 0.5, 0, 0, 0, 0]
