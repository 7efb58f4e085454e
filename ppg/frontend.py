"""From raw sensor samples to the filtered stream that windows are cut from.

Every step can run sample by sample on the device: a causal band-pass (two second-order sections),
linear interpolation to the network's rate, and a normalisation that needs one window only.
The band keeps 0.4 to 5 Hz: 24 to 300 BPM, so the first harmonic of any rate below 150 BPM stays.

The PPG's band-pass also differentiates: a pulse wave falls off with frequency, and its slope holds
harmonics, the steep upstroke and the slow swings of breathing at more equal strength, which small
networks learn from faster. It costs nothing, as one zero of the filter moves from half the sample
rate to 0 Hz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from ppg.recording import Recording
from ppgnas.errors import DataError

FRONT_END = "slope-1"  # another name whenever networks trained before read something else
BAND_HZ = (0.4, 5.0)
BAND_ORDER = 2
PPG_CLIP = 5.0  # standard deviations
ACC_FLOOR_G = 0.03  # below this movement the acceleration is noise, and must look like it
ACC_POWER = 0.75
PPG_FLOOR = 1e-6
DEAD_SHARE = 1e-7  # of the raw level: less than float32 resolves, so nothing was recorded
DEAD_SPREAD = 1e-4  # of a stream's unit spread; channels with rare blows keep ten times that


@dataclass(frozen=True)
class Stream:
    """Filtered signals of one recording on one clock.

    Attributes:
        ppg: `(samples, channels)` float32, each channel scaled to unit spread over the recording
            (a gain only; windows are normalised again); 0 for a channel that carries nothing.
        acc: `(samples, 3)` float32 in g, or None.
    """

    ppg: NDArray[np.float32]
    acc: NDArray[np.float32] | None


def band_sections(hz: float, *, slope: bool) -> NDArray[np.float64]:
    """Second-order sections `(2, 6)`, as `scipy.signal` has them, of the band-pass at `hz`.

    The second section has the numerator (1, -2, 1). The first has gain * (1, 2, 1): a Butterworth
    band-pass. With `slope` it has gain * (1, 0, -1), and gains of the two agree at the upper edge.
    """
    sections = scipy.signal.butter(BAND_ORDER, BAND_HZ, "bandpass", fs=hz, output="sos")
    if slope:
        angle = np.pi * BAND_HZ[1] / hz
        sections[0, :3] = sections[0, 0] / np.tan(angle) * np.array([1.0, 0.0, -1.0])
    return np.asarray(sections)


def band_pass(
    samples: NDArray[np.floating], hz: float, *, slope: bool = False
) -> NDArray[np.float64]:
    """Causal band-pass along axis 0, started in the steady state of sample 0.

    Args:
        samples: `(samples, channels)`.
        slope: differentiate as well, see `band_sections`.

    Raises:
        DataError: the rate is too low for the band.
    """
    if hz <= 2 * BAND_HZ[1]:
        raise DataError(
            f"a sample rate of {hz:g} Hz is too low; the {BAND_HZ[1]:g} Hz band needs more than "
            f"{2 * BAND_HZ[1]:g} Hz"
        )
    sections = band_sections(hz, slope=slope)
    values = samples.astype(np.float64)
    state = scipy.signal.sosfilt_zi(sections)[:, :, None] * values[:1]
    filtered, _ = scipy.signal.sosfilt(sections, values, axis=0, zi=state)
    return np.asarray(filtered)


def interpolate(
    samples: NDArray[np.floating], hz: float, at_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Linear interpolation of `(samples, channels)` at the times `at_s`, clamped at the ends."""
    position = np.clip(at_s * hz, 0, len(samples) - 1)
    left = np.minimum(position.astype(np.int64), len(samples) - 2)
    fraction = (position - left)[..., None]
    return np.asarray(samples[left] * (1 - fraction) + samples[left + 1] * fraction)


def stream(recording: Recording, *, hz: float, slope: bool = True) -> Stream:
    """Filter a recording at its own rates and bring PPG and acceleration to `hz`.

    Args:
        slope: of the PPG; False keeps its wave, for methods that look at the spectrum.
    """
    count = int(recording.duration_s * hz)
    at_s = np.arange(count) / hz
    ppg = interpolate(
        band_pass(recording.ppg, recording.ppg_hz, slope=slope), recording.ppg_hz, at_s
    )
    spread = ppg.std(axis=0)
    alive = spread > DEAD_SHARE * np.abs(recording.ppg).max(axis=0)
    gain = np.where(alive, spread, np.inf)
    acc = None
    if recording.acc is not None and recording.acc_hz is not None:
        filtered = band_pass(recording.acc, recording.acc_hz)
        acc = interpolate(filtered, recording.acc_hz, at_s).astype(np.float32)
    return Stream((ppg / gain).astype(np.float32), acc)


def normalise_ppg(
    ppg: NDArray[np.float32], weights: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """One PPG trace per window from all channels that carry a signal.

    A channel that is flat within a window is left out of it rather than blown up to noise; where
    all are flat the trace is 0.

    Args:
        ppg: `(windows, time, channels)`.
        weights: `(windows, channels)` share of each channel; equal when None.

    Returns:
        `(windows, time)` with mean 0 and standard deviation 1, clipped to +-5.
    """
    centred = ppg - ppg.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    alive = spread > DEAD_SPREAD  # (windows, 1, channels)
    centred = np.where(alive, centred / np.where(alive, spread, 1), 0).astype(ppg.dtype)
    if weights is None:
        mixed = centred.sum(axis=2) / np.maximum(alive.sum(axis=2), 1).astype(ppg.dtype)
    else:
        mixed = np.einsum("wtc,wc->wt", centred, weights)
    mixed /= np.maximum(mixed.std(axis=1, keepdims=True), PPG_FLOOR)
    return np.asarray(np.clip(mixed, -PPG_CLIP, PPG_CLIP), dtype=np.float32)


def normalise_acc(acc: NDArray[np.float32]) -> NDArray[np.float32]:
    """Three axes per window `(windows, time, 3)` in g, compressed to a range int8 can hold.

    The three axes are divided by their common root-mean-square to the power `ACC_POWER`, so that
    the strength of the movement stays visible while a punch and a slow walk both use the range.
    """
    centred = acc - acc.mean(axis=1, keepdims=True)
    rms = np.sqrt((centred**2).mean(axis=(1, 2), keepdims=True) * 3)
    scaled = centred / np.maximum(rms, ACC_FLOOR_G) ** ACC_POWER
    return np.asarray(np.clip(scaled, -PPG_CLIP, PPG_CLIP), dtype=np.float32)
