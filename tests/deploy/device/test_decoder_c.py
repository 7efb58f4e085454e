"""The decoder in C equals its rule bit for bit; all of the C runs clean under sanitizers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.device.decoder import Decoder
from deploy.device.decoder_c import decoder_c
from deploy.device.decoding import Reading, calibration_of
from deploy.device.front_end_c import front_end_c
from deploy.device.settings import FrontEnd
from deploy.device.smoothing import smoother
from deploy.emulation.host import HostCompiler, zig_host
from deploy.emulation.processes import run_tool
from ppgnas.errors import DependencyError, ToolError
from ppgnas.task import CLASSES
from tests.deploy.device.c_device import DecoderC, random_logits, standalone
from tests.deploy.shared import build_shared

SCALE = 0.17826053500175476
CALIBRATION = calibration_of([0.5, 2.0, 40.0], [0.25, 1.5, 25.0])
DECODERS = {
    "none": Decoder(SCALE, "none"),
    "clip": Decoder(SCALE, "clip", calibration=CALIBRATION),
    "hmm": Decoder(
        SCALE,
        "hmm",
        smoother(4.0, jump=1e-3, floor=1e-9, exponent=0.7),
        raw_calibration=calibration_of([3.0], [4.0]),
        calibration=CALIBRATION,
    ),
    "hmm, rare jumps": Decoder(0.03, "hmm", smoother(5.0, jump=1e-6, floor=2e-3, exponent=1.0)),
    "hmm, all classes reach all": Decoder(
        4.0,
        "hmm",
        smoother(900.0, jump=1e-8, floor=1e-10, exponent=2.0),
    ),
}


def rows(reading: Reading) -> NDArray[np.int64]:
    return np.stack(
        [reading.bpm_q8, reading.spread_q8, reading.confidence_q15, reading.error_q8], axis=1
    )


def extremes() -> NDArray[np.int8]:
    """Blank, one class alone at each end, two alike, a staircase, random signs."""
    logits = np.full((8, CLASSES), -128, np.int8)
    logits[1] = 127
    logits[2, 0] = logits[3, 179] = 127
    logits[4, [5, 170]] = 127
    logits[5] = np.arange(CLASSES) - 90
    logits[6] = np.where(np.random.default_rng(0).random(CLASSES) < 0.5, -128, 127)
    logits[7, 40:44] = [-100, 0, 100, 127]
    return logits


@pytest.mark.parametrize("name", DECODERS)
def test_c_equals_the_rule(decoder: Callable[[Decoder], DecoderC], name: str) -> None:
    value = DECODERS[name]
    device = decoder(value)
    logits = np.concatenate([random_logits(400, seed=5), np.tile(extremes(), (6, 1))])
    logits = np.concatenate([logits, random_logits(60, seed=6, peak=250.0)])
    rng = np.random.default_rng(7)
    steps = np.where(rng.random(len(logits)) < 0.05, rng.integers(0, 50, len(logits)), 1)
    steps[0] = 0
    raw, smoothed = value.read(logits, steps)
    np.testing.assert_array_equal([device.decode(row) for row in logits], rows(raw))
    ours = [device.smooth(row, int(step)) for row, step in zip(logits, steps, strict=True)]
    np.testing.assert_array_equal(ours, rows(smoothed))
    device.reset()
    again = [device.smooth(row, max(1, int(s))) for row, s in zip(logits[:9], steps, strict=False)]
    np.testing.assert_array_equal(again[:1], rows(smoothed)[:1])


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("flagged", ["some", "the first", "most"])
def test_windows_with_invalid_samples_are_not_listened_to(
    decoder: Callable[[Decoder], DecoderC], name: str, flagged: str
) -> None:
    logits = random_logits(200, seed=11)
    rng = np.random.default_rng(12)
    steps = np.where(rng.random(200) < 0.1, rng.integers(0, 9, 200), 1)
    valid = rng.random(200) > (0.9 if flagged == "most" else 0.2)
    valid[:7] = flagged != "the first"
    device, value = decoder(DECODERS[name]), DECODERS[name]
    _, smoothed = value.read(logits, steps, valid)
    ours = [
        device.smooth(row, int(step), valid=bool(good))
        for row, step, good in zip(logits, steps, valid, strict=True)
    ]
    np.testing.assert_array_equal(ours, rows(smoothed))
    other = np.where(valid[:, None], logits, random_logits(200, seed=13))
    _, again = value.read(other, steps, valid)
    np.testing.assert_array_equal(rows(again)[valid], rows(smoothed)[valid])
    if flagged == "the first":
        raw, _ = value.read(logits, steps)
        np.testing.assert_array_equal(smoothed.bpm_q8[:7], raw.bpm_q8[:7])


@pytest.mark.parametrize("name", ["clip", "hmm"])
def test_memory_that_was_never_reset_starts_anew(
    decoder: Callable[[Decoder], DecoderC], name: str
) -> None:
    """Whoever forgets the reset, with memory that is not zero, writes nowhere else."""
    logits, steps = random_logits(3, seed=8), np.array([0, 1, 1])
    _, smoothed = DECODERS[name].read(logits, steps)
    for byte in (b"\xa5", b"\xff", b"\x01"):
        device = decoder(DECODERS[name])
        device.fill(byte)
        ours = [device.smooth(row, 1) for row in logits]
        np.testing.assert_array_equal(ours, rows(smoothed))


MAIN = """
#include "device.h"
#include <stdio.h>
static uint32_t seed = 1;
static uint32_t next(void) { seed = seed * 1664525u + 1013904223u; return seed; }
int main(void)
{
    static ppg_state_t state;
    static ppg_smoother_t smoother;
    static int16_t window[PPG_WINDOW_WORDS];
    static int8_t input[PPG_STEPS * PPG_CHANNELS];
    static uint32_t scratch[PPG_DECODE_WORDS];
    int8_t logits[PPG_CLASSES];
    ppg_reading_t reading, smoothed;
    int kind, i, c, due = 0;
    ppg_smoother_reset(&smoother);
    for (kind = 0; kind < 4; kind++) {
        ppg_reset(&state);
        for (i = 0; i < 900; i++) {
            int32_t sample[PPG_PPG_CHANNELS];
            int16_t acc[3];
            int result;
            for (c = 0; c < PPG_PPG_CHANNELS; c++) {
                const uint32_t x = next();
                sample[c] = kind == 0   ? (x >> 31 ? INT32_MAX : INT32_MIN)
                            : kind == 1 ? (int32_t)(x >> 1) - (1 << 30)
                            : kind == 2 ? (c ? INT32_MIN : (int32_t)(x >> 24))
                                        : INT32_MAX;
            }
            for (c = 0; c < 3; c++) {
                const uint32_t x = next();
                acc[c] = kind == 0 ? (x >> 31 ? INT16_MAX : INT16_MIN) : (int16_t)(x >> 20);
            }
            result = ppg_push_acc(&state, acc);
            if (ppg_push_ppg(&state, sample) == 1 || result == 1) {
                due++;
                if (ppg_window(&state, window) != PPG_OK) { return 1; }
                ppg_quantise(window, input);
                for (c = 0; c < PPG_CLASSES; c++) {
                    logits[c] = input[(c * 7) % (PPG_STEPS * PPG_CHANNELS)];
                }
                ppg_decode(logits, scratch, &reading);
                ppg_smooth(&smoother, &reading, next() >> 27, scratch, &smoothed);
            }
        }
    }
    for (kind = 0; kind < 4; kind++) {
        for (i = 0; i < PPG_WINDOW_WORDS; i++) {
            window[i] = (int16_t)(kind == 0   ? INT16_MIN
                                  : kind == 1 ? (i & 16 ? INT16_MAX : INT16_MIN)
                                  : kind == 2 ? (i == 3)
                                              : (int16_t)(next() >> 17));
        }
        ppg_quantise(window, input);
    }
    for (i = 0; i < 200; i++) {
        /* The scratch memory before a call has no meaning. */
        for (c = 0; c < PPG_DECODE_WORDS; c++) { scratch[c] = next(); }
        for (c = 0; c < PPG_CLASSES; c++) {
            const uint32_t x = next();
            logits[c] =
                (int8_t)(i % 3 ? (x >> 31 ? INT8_MAX : INT8_MIN) : (int)(x >> 24) - 128);
        }
        ppg_decode(logits, scratch, &reading);
        ppg_smooth(&smoother, &reading, i % 5 ? 1u : next(), scratch, &smoothed);
        if (smoothed.bpm_q8 < 30 * 256 || smoothed.bpm_q8 > 209 * 256) { return 2; }
    }
    printf("%d\\n", due);
    return 0;
}
"""


@pytest.mark.parametrize(("name", "rate_hz"), [("none", 25), ("clip", 32), ("hmm", 25)])
def test_sanitizers_find_nothing(
    host: HostCompiler, tmp_path: Path, name: str, rate_hz: int
) -> None:
    end = FrontEnd(Fraction(50), Fraction(50), rate_hz, 2)
    parts = [front_end_c(end, scale=0.0375, zero_point=-3), decoder_c(DECODERS[name])]
    source, header = standalone(parts, header_name="device.h")
    for file, text in (("device.c", source), ("device.h", header), ("main.c", MAIN)):
        (tmp_path / file).write_text(text)
    sources = [tmp_path / "device.c", tmp_path / "main.c"]
    try:
        program = host.build_program(sources, tmp_path / "program", include=[tmp_path])
    except ToolError as error:
        pytest.skip(str(error))
    # Four signals of 18 s: windows at 8, 10, ... 16 and, where samples fall so, 18 s.
    assert int(run_tool([program], "running with sanitizers")) in range(20, 25)


def test_clang_finds_nothing_to_warn_about(tmp_path: Path) -> None:
    try:
        clang = zig_host()
    except DependencyError as error:
        pytest.skip(str(error))
    end = FrontEnd(Fraction(50), Fraction(26), 25, 3)
    parts = [front_end_c(end, scale=0.0375, zero_point=-3), decoder_c(DECODERS["hmm"])]
    source, header = standalone(parts, header_name="device.h")
    (tmp_path / "device.c").write_text(source)
    (tmp_path / "device.h").write_text(header)
    flags = ["-pedantic", "-Wsign-conversion", "-Wshadow", "-Wundef"]
    build_shared(clang, [tmp_path / "device.c"], tmp_path / "device.so", flags=flags)
