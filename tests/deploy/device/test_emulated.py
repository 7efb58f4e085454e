"""The same C on an emulated Cortex-M7 equals the rule, and fits what the parts say of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from deploy.device.decoder import Decoder
from deploy.device.decoder_c import decoder_c
from deploy.device.front_end_c import front_end_c
from deploy.device.normalising import normaliser
from deploy.device.rule import normalise, stream_windows
from deploy.device.settings import FrontEnd
from deploy.device.smoothing import smoother
from deploy.emulation.emulate import Emulator
from deploy.emulation.toolchain import find_compiler
from ppgnas.errors import DependencyError
from ppgnas.task import CLASSES
from tests.deploy.device.c_device import random_logits, standalone

END = FrontEnd(Fraction(25), Fraction(26), 16, 2)
DECODER = Decoder(0.178, "hmm", smoother(4.0, jump=1e-3, floor=1e-9, exponent=0.7))
# Memory for one call each: the emulator writes and reads objects by name.
CALLS = """
#include "device.h"
ppg_state_t state;
ppg_smoother_t smoother;
int32_t ppg_samples[300][PPG_PPG_CHANNELS];
int16_t acc_samples[312][3];
int16_t window[PPG_WINDOW_WORDS];
int8_t input[PPG_STEPS * PPG_CHANNELS];
int8_t logits[PPG_CLASSES];
uint32_t scratch[PPG_DECODE_WORDS];
ppg_reading_t raw, smoothed;
uint32_t sizes[2] = {sizeof(ppg_state_t), sizeof(ppg_smoother_t)};

/* Pushes 12 s as they come, until a window is due that ends at 10 s; pushes what is left later. */
int collect(void)
{
    int i, j = 0, windows = 0, result;
    ppg_reset(&state);
    for (i = 0; i < 300; i++) {
        result = ppg_push_ppg(&state, ppg_samples[i]);
        while (j * 25 <= i * 26) {
            const int other = ppg_push_acc(&state, acc_samples[j++]);
            result = other == 1 ? 1 : result;
        }
        if (result == 1 && ++windows == 2) {
            return ppg_window(&state, window);
        }
    }
    return 1;
}
void quantise(void) { ppg_quantise(window, input); }
void decode(void) { ppg_decode(logits, scratch, &raw); }
void begin(void) { ppg_smoother_reset(&smoother); }
void smooth(uint32_t strides) { ppg_smooth(&smoother, &raw, strides, scratch, &smoothed); }
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Emulator:
    """The image with front end and decoder."""
    folder = tmp_path_factory.mktemp("device")
    parts = [front_end_c(END, scale=0.0375, zero_point=-3), decoder_c(DECODER)]
    source, header = standalone(parts, header_name="device.h")
    for name, text in (("device.c", source), ("device.h", header), ("calls.c", CALLS)):
        (folder / name).write_text(text)
    sources: list[Path] = [folder / "device.c", folder / "calls.c"]
    keep = ("collect", "quantise", "decode", "begin", "smooth", "sizes")
    try:
        image = find_compiler().build(sources, folder / "device.elf", keep=keep, include=[folder])
        return Emulator(image)
    except DependencyError as error:
        pytest.skip(str(error))


def test_front_end(emulator: Emulator) -> None:
    rng = np.random.default_rng(0)
    ppg = np.rint(np.cumsum(rng.normal(size=(300, 2)), axis=0) * 5000).astype(np.int32)
    acc = np.rint(rng.normal(size=(312, 3)) * 3000).clip(-32768, 32767).astype(np.int16)
    windows = stream_windows(END, ppg, acc)
    words = windows.words()
    seen = emulator.call(
        "collect",
        {"ppg_samples": ppg.tobytes(), "acc_samples": acc.tobytes()},
        outputs={"window": words[1].nbytes, "sizes": 8},
    )
    assert seen.result == 0
    np.testing.assert_array_equal(np.frombuffer(seen.outputs["window"], np.int16), words[1])
    expected = [front_end_c(END, scale=0.0375, zero_point=-3), decoder_c(DECODER)]
    sizes = np.frombuffer(seen.outputs["sizes"], np.uint32)
    assert sizes.tolist() == [part.state_bytes for part in expected]
    by = normaliser(END, scale=0.0375, zero_point=-3)
    stored = normalise(windows, by, ppg_channels=2)[1]
    seen = emulator.call("quantise", outputs={"input": stored.size})
    np.testing.assert_array_equal(
        np.frombuffer(seen.outputs["input"], np.int8).reshape(stored.shape), stored
    )
    assert seen.stack_bytes < 512


def test_decoder(emulator: Emulator) -> None:
    logits = random_logits(12, seed=1)
    steps = np.array([0, 1, 1, 3, 1, 1, 50, 1, 0, 1, 1, 1])
    raw, smoothed = DECODER.read(logits, steps)
    emulator.call("begin")
    for index, row in enumerate(logits):
        emulator.machine.write("logits", row.tobytes())
        assert len(row) == CLASSES
        one = emulator.call("decode", outputs={"raw": 8})
        two = emulator.call("smooth", arguments=[int(steps[index])], outputs={"smoothed": 8})
        for found, exact in ((one.outputs["raw"], raw), (two.outputs["smoothed"], smoothed)):
            fields = (exact.bpm_q8, exact.spread_q8, exact.confidence_q15, exact.error_q8)
            expected = [int(field[index]) for field in fields]
            assert np.frombuffer(found, np.uint16).tolist() == expected
        assert two.stack_bytes < 512
