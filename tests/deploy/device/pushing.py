"""Hours of samples of two sensors that run freely, pushed into the front end in C."""

from __future__ import annotations

from ctypes import byref, c_int64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.deploy.device.c_device import FrontEndC, address

PPG, ACC, NO_PPG, NO_ACC = range(4)
"""Pushes: a sample of either sensor, or a sample of it that is invalid."""

RUN = """
#if PPG_CHANNELS == 4
#define PUSH_ACC(sample) ppg_push_acc(state, sample)
#else
#define PUSH_ACC(sample) ((void)(sample), 0)
#endif
int64_t device_run(ppg_state_t *state, const uint8_t *order, int64_t pushes, const int32_t *ppg,
                   const int16_t *acc, int8_t *results, int64_t *at, int16_t *windows);

/* Pushes samples in the given order; each window that is due is taken at once. */
int64_t device_run(ppg_state_t *state, const uint8_t *order, int64_t pushes, const int32_t *ppg,
                   const int16_t *acc, int8_t *results, int64_t *at, int16_t *windows)
{
    int64_t found = 0;
    for (int64_t push = 0; push < pushes; push++) {
        const int kind = order[push];
        int result;
        if (kind % 2 == 0) {
            result = ppg_push_ppg(state, kind == 0 ? ppg : 0);
            ppg += PPG_PPG_CHANNELS;
        } else {
            result = PUSH_ACC(kind == 1 ? acc : 0);
            acc += 3;
        }
        results[push] = (int8_t)result;
        if (result == 1) {
            if (ppg_window(state, &windows[found * PPG_WINDOW_WORDS]) != PPG_OK) {
                return -1 - push;
            }
            at[found++] = push;
        }
    }
    return found;
}
"""


@dataclass(frozen=True)
class Run:
    """What came of pushes.

    Attributes:
        results: `(pushes,)` what each returned.
        at: `(windows,)` the push at which each window was due.
        windows: `(windows, words)`.
    """

    results: NDArray[np.int8]
    at: NDArray[np.int64]
    windows: NDArray[np.int16]


def run(
    device: FrontEndC, order: NDArray[np.uint8], ppg: NDArray[Any], acc: NDArray[Any] | None
) -> Run:
    """Push everything; windows are taken as they come.

    Args:
        device: keeps its state from earlier runs.
        order: `(pushes,)` which sensor each push is of; `PPG`, `ACC`, `NO_PPG` or `NO_ACC`.
        ppg: `(samples, channels)` counts, one row for each push of the PPG.
        acc: `(samples, 3)` counts.
    """
    ppg = np.ascontiguousarray(ppg, np.int32)
    acc = np.ascontiguousarray(np.zeros((0, 3)) if acc is None else acc, np.int16)
    order = np.ascontiguousarray(order, np.uint8)
    results = np.zeros(len(order), np.int8)
    most = 2 * len(order) // device.settings.stride_steps + 8
    at = np.zeros(most, np.int64)
    windows = np.zeros((most, device.settings.window_words), np.int16)
    device.library.device_run.restype = c_int64
    count = device.library.device_run(
        byref(device.state),
        address(order),
        c_int64(len(order)),
        address(ppg),
        address(acc),
        address(results),
        address(at),
        address(windows),
    )
    assert count >= 0, f"push {-1 - count} was due without a window"
    return Run(results, at[:count], windows[:count])


def in_time(ppg_s: NDArray[np.float64], acc_s: NDArray[np.float64]) -> NDArray[np.uint8]:
    """`(pushes,)` the order in which samples come that arrive at these times; PPG first."""
    kinds = np.r_[np.full(len(ppg_s), PPG), np.full(len(acc_s), ACC)]
    return kinds[np.argsort(np.r_[ppg_s, acc_s], kind="stable")].astype(np.uint8)


def bursts(times_s: NDArray[np.float64], samples: int) -> NDArray[np.float64]:
    """When samples arrive that a sensor's FIFO hands out `samples` at a time."""
    last = np.minimum(np.arange(len(times_s)) // samples * samples + samples, len(times_s)) - 1
    return times_s[last]
