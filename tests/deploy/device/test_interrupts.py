"""Pushes and windows that meet: an interrupt comes where the C orders its memory."""

from __future__ import annotations

from ctypes import addressof, c_int, c_void_p
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from deploy.device.front_end_c import front_end_c
from deploy.device.settings import FrontEnd
from tests.deploy.device.c_device import BUSY, DUE, OK, FrontEndC
from tests.deploy.device.conftest import Build

END = FrontEnd(Fraction(64), None, 32, ppg_channels=1)
BEFORE = "void device_interrupt(void);\n#define FRONT_BARRIER() device_interrupt()\n"
INTERRUPT = """
static ppg_state_t *interrupted;
static int left, inside, result;
void device_interrupt(void);
void device_arm(ppg_state_t *state, int times);
int device_result(void);

/* The next `times` places are interrupted by a sample. */
void device_arm(ppg_state_t *state, int times)
{
    interrupted = state;
    left = times;
}

int device_result(void) { return result; }

void device_interrupt(void)
{
    const int32_t light[1] = {7};
    if (left > 0 && !inside) {
        inside = 1;
        left--;
        result = ppg_push_ppg(interrupted, light);
        inside = 0;
    }
}
"""


@pytest.fixture
def device(build: Build) -> FrontEndC:
    """After 8 s, with a window that is due."""
    part = front_end_c(END, scale=0.0375, zero_point=-3)
    library = build([replace(part, functions=BEFORE + part.functions)], INTERRUPT)
    found = FrontEndC(END, library, part)
    rng = np.random.default_rng(0)
    while found.push_ppg(rng.integers(0, 2**20, 1).astype(np.int32)) != DUE:
        pass
    return found


def arm(device: FrontEndC, times: int) -> None:
    device.library.device_arm(c_void_p(addressof(device.state)), c_int(times))


def test_a_push_in_a_push_is_refused(device: FrontEndC) -> None:
    """The sample that was interrupted is taken as if nothing had been."""
    sample, start = np.full(1, 9, np.int32), bytes(device.state)
    assert device.push_ppg(sample) == OK
    alone = bytes(device.state)
    device.state = type(device.state).from_buffer_copy(start)
    arm(device, 1)
    assert device.push_ppg(sample) == OK
    assert device.library.device_result() == BUSY
    assert bytes(device.state) == alone


def test_a_window_that_is_interrupted_is_whole(device: FrontEndC) -> None:
    status, exact = device.window()
    assert status == OK
    pushes = device.state.pushes
    arm(device, 3)
    status, window = device.window()
    assert device.state.pushes == pushes + 2 * 3 and device.library.device_result() == OK
    assert status == OK
    np.testing.assert_array_equal(window, exact)


def test_a_window_that_is_interrupted_without_an_end(device: FrontEndC) -> None:
    arm(device, 1000)
    assert device.window()[0] == BUSY


def test_a_window_in_a_push_is_refused(device: FrontEndC) -> None:
    device.state.pushes += 1
    assert device.window()[0] == BUSY
    device.reset()
    assert device.push_ppg(np.zeros(1, np.int32)) == OK
