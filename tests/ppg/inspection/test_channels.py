"""Channels whose faults are known, each named; and what networks read without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.inspection.channels import channel_warnings, sample_faults
from ppg.inspection.inspection import inspect
from ppg.inspection.notes import faults
from ppg.inspection.signals import signal_warnings
from ppg.plausible import copies, unwrapped
from ppg.recording import Recording, channels_of
from ppgnas.errors import DataError
from tests.ppg.inspection.test_inspection import _LABELS, _recording

Channel = NDArray[np.floating]


def _with(*channels: Channel, labelled: bool = True) -> Recording:
    """The known recording with its channel first and others after it."""
    whole = _recording()
    ppg = np.column_stack([1000 + whole.ppg[:, 0], *channels]).astype(np.float32)
    labels = {} if labelled else {key: getattr(whole, key)[:0] for key in _LABELS}
    return replace(whole, ppg=ppg, **labels)


def _pulse(gain: float = 1.0, *, seed: int = 9) -> Channel:
    whole = _recording().ppg[:, 0]
    noise = np.random.default_rng(seed).standard_normal(len(whole))
    return np.asarray(5000 + gain * (whole + 0.2 * noise))


def _light() -> Channel:
    """Slow light from outside, with hum: what an ambient channel sees."""
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.standard_normal(30000))
    return np.asarray(walk * 5 + rng.standard_normal(30000))


def _noise() -> Channel:
    return np.random.default_rng(4).standard_normal(30000)


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("make", [_noise, _light])
@pytest.mark.parametrize("gain", [1.0, 300.0])
def test_a_channel_without_a_pulse(labelled: bool, make: object, gain: float) -> None:
    recording = _with(gain * make(), _pulse(), labelled=labelled)  # type: ignore[operator]
    ((kind, message),) = channel_warnings(recording)
    assert kind == "no pulse" and message.startswith("PPG channel 2 shows no pulse: its strongest")
    assert message.endswith("leave it out with --channels 1,3")
    assert list(channel_warnings(recording.with_channels((1, 3)))) == []


@pytest.mark.parametrize(("hz", "gain"), [(0.9, 3.0), (1.2, 3.0), (2.4, 20.0), (3.3, 3.0)])
def test_hum_in_a_channel_without_labels(hz: float, gain: float) -> None:
    """The alias of mains hum, alone or over a pulse; a steady pulse has overtones."""
    time_s = np.arange(30000) / 50
    hum = gain * np.sin(2 * np.pi * hz * time_s)
    for channel in (hum + 0.3 * _noise(), hum + _pulse()):
        recording = _with(channel, _pulse(), labelled=False)
        ((kind, message),) = channel_warnings(recording)
        assert kind == "no pulse" and f"is one line at {60 * hz:.0f} BPM that never" in message
        assert message.endswith(
            "as of mains hum; networks read the mean of the channels: leave it "
            "out with --channels 1,3"
        )
    paced = np.exp(3 * np.cos(2 * np.pi * min(hz, 2.0) * time_s)) + 0.3 * _noise()
    assert list(channel_warnings(_with(paced, labelled=False))) == []
    half = np.where(time_s < time_s[-1] / 2, hum, 0) + _pulse()  # steps, on a treadmill
    assert list(channel_warnings(_with(half, labelled=False))) == []


@pytest.mark.parametrize("hz", [0.3, 0.9, 3.3])
@pytest.mark.parametrize("level", [0.0, 0.3])
def test_a_lone_channel_that_never_reads_its_reference(hz: float, level: float) -> None:
    """Breathing and hum; what its labels say does not hide what its samples do."""
    time_s = np.arange(30000) / 50
    wave = np.sin(2 * np.pi * hz * time_s) + level * 0.1 * _noise()
    lone = replace(_recording(), ppg=wave[:, None].astype(np.float32))
    ((kind, message),) = channel_warnings(lone)
    assert kind == "no pulse" and message.startswith("PPG channel 1 shows no pulse: ")
    assert message.endswith("of light from outside" if hz < 0.5 else "as of mains hum")
    assert list(channel_warnings(_recording())) == []


def test_the_naive_error_is_of_what_networks_read() -> None:
    """Their mean of the channels' traces, not the mean of the channels' spectra."""
    good, spoilt = _recording(), _with(_noise(), -_pulse())
    errors = [inspect([one]).recordings[0].naive_mae_bpm for one in (good, spoilt)]
    assert errors[0] is not None and errors[1] is not None
    assert errors[0] < 2 and errors[1] > 10
    mended = inspect([spoilt.with_channels((1, -3))]).recordings[0]
    assert mended.naive_mae_bpm is not None and mended.naive_mae_bpm < 2
    assert mended.steady_share > 0.6 > 0.3 > inspect([spoilt]).recordings[0].steady_share


@pytest.mark.parametrize(("channels", "said"), [((-1,), "1,-2"), ((1, -1), "1,2,-3")])
def test_an_inverted_channel(channels: tuple[int, ...], said: str) -> None:
    recording = _with(*(_pulse(gain, seed=seed) for seed, gain in enumerate(channels)))
    ((kind, message),) = channel_warnings(recording)
    assert kind == "inverted" and message.endswith(f"turn it over with --channels {said}")
    assert list(channel_warnings(recording.with_channels(channels_of(said)))) == []
    assert list(channel_warnings(recording.with_channels((-1,)))) == []  # alone it may be


@pytest.mark.parametrize("level", [0.0, 1500.0])
def test_two_lights_in_turns(level: float) -> None:
    light = 1000 + _recording().ppg[:, 0]
    light[1::2] = level + 0.1 * light[1::2]
    assert unwrapped(np.asarray(np.round(light), np.float64))[2] == 0
    ((kind, said),) = sample_faults(np.round(light), 50.0)
    assert kind == "in turns" and "share a column: give each a column of its own" in said


@pytest.mark.parametrize(("factor", "late"), [(1.0, 0), (-1.0, 0), (0.25, 0), (1.0, 1), (2.0, -1)])
def test_a_copy_of_a_channel(factor: float, late: int) -> None:
    again = factor * np.roll(_with().ppg[:, 0], late) + 7
    ((kind, message),) = channel_warnings(_with(again, _pulse()))
    assert kind == "copy" and message.startswith(f"PPG channel 2 is channel 1 again, {factor:g}")
    assert message.endswith("leave it out with --channels 1,3")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1e300, np.nan])
def test_numbers_of_no_sensor_are_no_copies(value: float) -> None:
    assert copies(value * np.arange(1.0, 19.0).reshape(9, 2)) == {}


@pytest.mark.parametrize(("late_s", "others"), [(0.5, 0), (-0.4, 1), (0.36, 2)])
def test_a_channel_that_is_late_is_not_inverted(late_s: float, others: int) -> None:
    channels = [_pulse(seed=seed) for seed in range(others)]
    recording = _with(*channels, np.roll(_pulse(seed=5), round(50 * late_s)))
    ((kind, message),) = channel_warnings(recording)
    chosen = ",".join("123"[: others + 1])
    assert kind == "late" and message.endswith(f"--channels {chosen}")
    where = "after" if late_s > 0 else "before"
    assert f"comes {abs(late_s):.2g} s {where} the others" in message
    turned = _with(*channels, -np.roll(_pulse(seed=5), 2))
    assert [kind for kind, _ in channel_warnings(turned)] == ["inverted"]


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("until", [True, False])
@pytest.mark.parametrize("turned", [True, False])
def test_a_channel_that_is_wrong_for_half_the_time(
    labelled: bool, until: bool, turned: bool
) -> None:
    channel = _pulse()
    half = slice(None, len(channel) // 2) if until else slice(len(channel) // 2, None)
    channel[half] = 9000 - channel[half] if turned else 5000 + _noise()[half]
    ((kind, message),) = channel_warnings(_with(channel, labelled=labelled))
    assert kind == ("inverted" if turned else "no pulse")
    assert message.startswith(f"{'until' if until else 'from'} ")
    assert " s PPG channel 2 " in message and message.endswith("leave it out with --channels 1")


@pytest.mark.parametrize("step", [0.0, 0.003, -0.01])
@pytest.mark.parametrize("seconds", [1.0, 3.0, 30.0])
def test_a_channel_that_stays_where_it_was_or_goes_straight_on(
    seconds: float, step: float
) -> None:
    channel, rows = _pulse(), round(50 * seconds)
    channel[5000 : 5000 + rows] = channel[5000] + step * np.arange(rows)
    found = dict(channel_warnings(_with(channel)))
    assert ("still" in found) == (seconds > 2)
    if seconds > 2:
        assert f"for {seconds:.1f} s from 100 s on" in found["still"]
    known = replace(_with(channel), gaps=((100.0, 100.0 + seconds),))
    assert step == 0 or "still" not in dict(channel_warnings(known))


@pytest.mark.parametrize(
    ("others", "kinds", "said"),
    [
        (lambda: (_pulse(seed=1), -_pulse(seed=2), -_pulse(seed=3)), {"inverted"}, "1,2,-3,-4"),
        (lambda: (-_pulse(), np.zeros(30000)), {"inverted"}, "1,-2"),
        (lambda: (-_pulse(), _noise()), {"no pulse", "inverted"}, "1,-2"),
        (lambda: (_noise(), _light(), _pulse()), {"no pulse"}, "1,4"),
    ],
)
def test_one_choice_of_channels_mends_all_faults(
    others: Callable[[], tuple[Channel, ...]], kinds: set[str], said: str
) -> None:
    recording = _with(*others())
    found = list(channel_warnings(recording))
    assert {kind for kind, _ in found} == kinds
    assert {message.split("--channels ")[1] for _, message in found} == {said}
    assert list(channel_warnings(recording.with_channels(channels_of(said)))) == []


def test_steps_spikes_and_zeros() -> None:
    pulse = _pulse()
    steps, spikes, zeros = pulse.copy(), pulse.copy(), pulse.copy()
    for place in range(2500, 30000, 2500):
        steps[place:] += 200 if place % 5000 else -150
        spikes[place] += 300
        zeros[place : place + 3] = 0
    for channel, kind, said in (
        (steps, "stepping", "PPG channel 2 jumps to another level 11 times"),
        (spikes, "spikes", "PPG channel 2 holds 11 spikes of a sample or two"),
        (zeros, "zeros", "PPG channel 2 holds 33 samples of 0 among values of 500"),
    ):
        ((found, message),) = channel_warnings(_with(channel))
        assert found == kind and message.startswith(said)
    moved = pulse + 40 * np.sin(np.arange(30000) / 50 * 2 * np.pi * 1.9)  # movement is no step
    assert [kind for kind, _ in channel_warnings(_with(moved))] in ([], ["no pulse"])


def test_a_search_says_that_channels_look_wrong() -> None:
    spoilt, good = _with(_noise()), replace(_with(_pulse()), name="good")
    assert faults([good, _recording(seed=1)]) == []
    (note,) = faults([good, spoilt, _recording(seed=1)])
    assert note.startswith("1 of 3 recordings has a PPG channel that looks wrong (the first is ")
    assert note.endswith("data convert --channels writes recordings without it.")
    assert "lab/r0: PPG channel 2 shows no pulse" in note
    assert faults([good, replace(spoilt, synthetic=True)]) == []


def test_a_lone_channel_is_told_too() -> None:
    noise = replace(_recording(), ppg=_noise()[:, None].astype(np.float32))
    (note,) = faults([_recording(seed=1), noise])
    assert note.startswith("1 of 2 recordings has a PPG channel that looks wrong")
    assert note.endswith("leave out what has no pulse.")


def test_channels_are_chosen_by_number() -> None:
    recording = _with(_noise(), _pulse())
    chosen = recording.with_channels((3, -1))
    np.testing.assert_array_equal(chosen.ppg[:, 0], recording.ppg[:, 2])
    np.testing.assert_array_equal(chosen.ppg[:, 1], -recording.ppg[:, 0])
    for wrong in ((), (0,), (4,), (1, -1)):
        with pytest.raises(DataError, match="allowed: numbers from 1 to 3, each once"):
            recording.with_channels(wrong)
    assert channels_of("1, -3") == (1, -3)
    with pytest.raises(DataError, match="`channels` is 'green'; allowed: numbers from 1"):
        channels_of("green")


@pytest.mark.parametrize("slope", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_lone_channel_of_pink_noise(slope: float, labelled: bool) -> None:
    """A fifth of its peaks stay from window to window, as of a poor pulse."""
    at = np.fft.rfftfreq(30000)
    waves = np.fft.rfft(_noise()) * np.r_[0.0, at[1:] ** (-slope / 2)]
    recording = _with(np.fft.irfft(waves, 30000), labelled=labelled).with_channels((2,))
    kinds = [kind for kind, _ in channel_warnings(recording)]
    assert kinds == ["no pulse"]


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8])
def test_a_lone_channel_of_a_pulse_in_noise(level: float) -> None:
    recording = _with(_pulse() + level * _noise(), labelled=False).with_channels((2,))
    assert list(channel_warnings(recording)) == []


@pytest.mark.parametrize("marker", [-1.0, 4294967295.0, 0.0, 65535.0])
def test_numbers_that_stand_for_no_sample(marker: float) -> None:
    spoilt = _pulse()
    spoilt[9000:9400] = marker
    kinds = dict(channel_warnings(_with(spoilt).with_channels((2,))))
    assert f"holds 400 samples of {marker:g} among values of" in kinds["zeros"]
    railed = np.minimum(_pulse(), np.quantile(_pulse(), 0.9))
    assert "zeros" not in dict(channel_warnings(_with(railed).with_channels((2,))))


@pytest.mark.parametrize("number", [-999.0, -9999.0, -99.0])
@pytest.mark.parametrize("places", [[9000], list(range(9000, 9400)), [0, 5000, 29999]])
def test_a_number_that_stands_for_none_is_no_rail(number: float, places: list[int]) -> None:
    spoilt = _pulse()
    spoilt[places] = number
    recording = _with(spoilt).with_channels((2,))
    count = f"{len(places)} sample{'s' if places[1:] else ''}"
    told = [*channel_warnings(recording), *signal_warnings(recording)]
    assert [kind for kind, _ in told] == ["no value"]
    assert told[0][1].startswith(
        f"PPG channel 1 is {number:g} in {count}, probably no measurement"
    )


@pytest.mark.parametrize("offset", [-999.0, -400.0, 0.0])
def test_a_signal_may_pass_such_a_number(offset: float) -> None:
    trace = np.rint(600 * _recording().ppg[:, 0] + offset)
    trace[5000:6000:50] = -999
    recording = _with(trace).with_channels((2,))
    assert "no value" not in {kind for kind, _ in channel_warnings(recording)}
