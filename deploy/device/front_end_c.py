"""C of the front end: from raw samples to the network's int8 input."""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import Structure, c_int16, c_int32, c_int64, c_uint32, sizeof
from fractions import Fraction
from typing import Any

from deploy.device import following
from deploy.device.blocks import ALIVE
from deploy.device.c_text import CPart, macros, read_text, resolve
from deploy.device.filtering import COEFFICIENT_BITS, LARGEST_SAMPLE, band_pass, hold_samples
from deploy.device.normalising import (
    DEAD_DEVIATION,
    FACTOR_LIMIT,
    LARGEST_MANTISSA,
    MANTISSA_BITS,
    MIXED,
    Normaliser,
    normaliser,
)
from deploy.device.rule import ratio
from deploy.device.settings import FrontEnd
from ppg.windows import STREAM_HZ

_HELPERS = ("small", "shift_right", "bit_length", "square_root")
_ACC_HELPERS = ("log2", "exp2")
_TEXTS = ("filtering.c", "sampling.c", "windows.c")
_ERRORS = {
    "PPG_OK": 0,
    "PPG_ERROR_OUT_OF_STEP": "(-3)",
    "PPG_ERROR_NO_WINDOW": "(-4)",
    "PPG_ERROR_NOT_RESET": "(-5)",
    "PPG_ERROR_BUSY": "(-6)",
}
_STATES = {"FRONT_LOST": "(-1)", "FRONT_RESET": 0x50504701, "FRONT_READY": 0x50504702}
"""A clock whose sensor lost samples; what `ready` is before and after the first window is due."""
_NO_BLOCKS = "0x50504800u"
"""The count of blocks of a gain after its reset: one that was never reset hardly has it."""
_BARRIER = """\
/* Keeps what a push writes, and a window reads, between two looks at `pushes`. */
#if defined(FRONT_BARRIER)
#elif defined(__GNUC__) || defined(__ICCARM__)
#define FRONT_BARRIER() __asm__ volatile("" ::: "memory")
#else
#define FRONT_BARRIER() ((void)0)
#endif
#define FRONT_TRIES 8

"""


def front_end_c(front_end: FrontEnd, *, scale: float, zero_point: int) -> CPart:
    """`ppg_reset`, `ppg_push_ppg`, `ppg_push_acc`, `ppg_window`, `ppg_quantise`.

    Streaming, windows are blocks of 2 s, and `ppg_gain_reset` stands beside them.

    Args:
        scale, zero_point: of the network's input tensor.

    Raises:
        ExportError: a rate or a scale that the integer arithmetic does not reach.
    """
    by = normaliser(front_end, scale=scale, zero_point=zero_point)
    streaming = front_end.mode == "streaming"
    one_lane = front_end.ppg_channels == 1
    flags = {
        "FRONT_ACC": front_end.acceleration,
        "FRONT_TWO_STAGES": front_end.two_stages,
        "FRONT_STREAMING": streaming,
        "FRONT_WINDOW": not streaming,
        "FRONT_ONE_LANE": one_lane,
        "FRONT_SEVERAL": not one_lane,
        "FRONT_LANE_ALONE": one_lane or front_end.acceleration,
    }
    tables, table_bytes = _sensors(front_end)
    texts = [*_TEXTS, "blocks.c"] if streaming else _TEXTS
    text = resolve("".join(read_text(name) for name in texts), flags)
    text = text.replace("FRONT_TABLES\n", tables)
    return CPart(
        header=_header(front_end, flags),
        functions=_BARRIER + _constants(front_end, by) + "\n" + text,
        helpers=_HELPERS + (_ACC_HELPERS if front_end.acceleration else ()),
        table_bytes=table_bytes,
        state_bytes=sizeof(state_structure(front_end)),
        scratch_bytes=0,
    )


def _header(front_end: FrontEnd, flags: dict[str, bool]) -> str:
    sizes = {
        "PPG_STEPS": front_end.steps,
        "PPG_CHANNELS": 4 if front_end.acceleration else 1,
        "PPG_PPG_CHANNELS": front_end.ppg_channels,
        "PPG_WINDOW_CHANNELS": front_end.channels,
        "PPG_WINDOW_WORDS": front_end.window_words,
        "PPG_STRIDE_STEPS": front_end.stride_steps,
        "PPG_RING_STEPS": front_end.ring_steps,
        "PPG_SLACK_STEPS": front_end.slack_steps,
    }
    if front_end.mode == "streaming":
        sizes |= {"PPG_WINDOW_STEPS": front_end.window_steps, "PPG_BLOCKS": front_end.task.blocks}
    text = macros(_ERRORS) + macros(sizes)
    if front_end.acceleration:
        name = "PPG_ACC_COUNTS_PER_G"
        text += f"#ifndef {name}\n#define {name} {front_end.counts_per_g}\n#endif\n"
    rates = f"/* PPG at {front_end.ppg_hz} Hz"
    if front_end.acceleration:
        rates += f", acceleration at {front_end.acc_hz} Hz"
    rates += f"; the network reads {front_end.rate_hz} Hz. */\n"
    return rates + text + "\n" + resolve(read_text("front_end.h"), flags)


def _constants(front_end: FrontEnd, by: Normaliser) -> str:
    alone = front_end.ppg_channels == 1
    # Of blocks the deviation of several channels together is known by their correlations.
    factor = by.alone if alone or front_end.mode == "streaming" else by.mixed
    values: dict[str, object] = {
        "FRONT_LARGEST_SAMPLE": LARGEST_SAMPLE,
        "FRONT_MANTISSA_BITS": MANTISSA_BITS,
        "FRONT_LARGEST_MANTISSA": LARGEST_MANTISSA,
        "FRONT_DEAD_SQUARES": f"UINT64_C({(by.steps * DEAD_DEVIATION) ** 2})",
        "FRONT_FACTOR": f"{factor.mantissa}u",
        "FRONT_FACTOR_SHIFT": factor.shift,
        "FRONT_ZERO_POINT": f"({by.zero_point})",
        "FRONT_LOW": f"({by.low})",
        "FRONT_HIGH": f"({by.high})",
    }
    if front_end.mode == "streaming":
        lane = factor if alone else MIXED
        values |= {
            "FRONT_LANE_FACTOR": f"{lane.mantissa}u",
            "FRONT_LANE_SHIFT": lane.shift,
            "FRONT_ALIVE": ALIVE,
            "FRONT_NO_BLOCKS": _NO_BLOCKS,
            "FRONT_BROKEN_STEPS": front_end.broken_steps,
        }
    elif not alone:
        values |= {"FRONT_MIXED": f"{MIXED.mantissa}u", "FRONT_MIXED_SHIFT": MIXED.shift}
    if front_end.two_stages:
        step, grid = ratio(Fraction(STREAM_HZ), Fraction(front_end.rate_hz))
        values |= {
            "FRONT_STREAM_STEP": step,
            "FRONT_STREAM_GRID": grid,
            "FRONT_STREAM_SHARE": f"{2**31 // grid}u",
        }
    if front_end.acceleration:
        values |= {
            "FRONT_ACC_FLOOR": f"({by.acc_floor})",
            "FRONT_ACC_GAIN": f"({by.acc_gain})",
            "FRONT_HALF_POWER": by.half_power,
            "FRONT_FACTOR_LIMIT": FACTOR_LIMIT,
            "FRONT_ONE_BITS": following.ONE_BITS,
        }
        values |= following.constants(
            slack_steps=front_end.slack_steps, block_steps=front_end.stride_steps
        )
    return macros(_STATES) + macros(values)


def _sensors(front_end: FrontEnd) -> tuple[str, int]:
    """Text and bytes of the constants in flash."""
    rates = [(front_end.ppg_hz, True)] + ([(front_end.acc_hz, False)] if front_end.acc_hz else [])
    target = Fraction(STREAM_HZ) if front_end.two_stages else Fraction(front_end.rate_hz)
    rows = []
    for hz, slope in rates:
        band = band_pass(hz, slope=slope)
        low, high = ((band.gain, *band.recursive[0]), (1 << COEFFICIENT_BITS, *band.recursive[1]))
        step, grid = ratio(hz, target)
        rows.append(
            f"    {{{_braced(band.before)}, {1 + sum(band.before)}, {band.limit}, "
            f"{1 << band.fraction_bits}, {_braced(low)}, {_braced(high)},\n"
            f"     {step}, {grid}, {2**31 // grid}u, {hold_samples(hz)}}},\n"
        )
    text = (
        "/* Band-pass and clock: PPG, then acceleration. */\n"
        f"static const front_sensor_t front_sensors[{len(rows)}] = {{\n{''.join(rows)}}};\n"
    )
    return text, 60 * len(rows)


def _braced(values: Iterable[int]) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


def state_structure(front_end: FrontEnd) -> type[Structure]:
    """`ppg_state_t` as ctypes lays it out, which is as the compilers of Cortex-M do."""
    stream = ["stream"] if front_end.two_stages else []
    clocks = ["stream_due", "stream_invalid"] if front_end.two_stages else []

    class Section(Structure):
        _fields_ = [(name, c_int32) for name in ("y1", "e1", "y2", "e2")]

    class Lane(Structure):
        _fields_ = [
            ("low", Section),
            ("high", Section),
            *((name, c_int32) for name in ("x1", "x2", "start", *stream)),
        ]

    class Clock(Structure):
        _fields_ = [
            ("due", c_int32),
            *([("fine", c_uint32)] if front_end.acceleration else []),
            *((name, c_int32) for name in ("need", "at", "started", "gap", *clocks)),
        ]

    class Follow(Structure):
        _fields_ = [
            (name, c_int32)
            for name in (
                *("left", "low", "high", "reference", "range", "widest", "blocks"),
                *("following", "rate", "correction", "last", "lost"),
            )
        ]

    channels, steps = front_end.ppg_channels, front_end.ring_steps
    marks = c_uint32 * -(-steps // 32)
    acc_first: list[tuple[str, Any]] = []
    acc_marks: list[tuple[str, Any]] = []
    acc_last: list[tuple[str, Any]] = []
    if front_end.acceleration:
        acc_first = [("acc_lane", Lane * 3), ("acc_clock", Clock), ("follow", Follow)]
        acc_marks = [("acc_marks", marks)]
        acc_last = [("acc_ring", c_int16 * 3 * steps)]

    class State(Structure):
        _fields_ = [
            ("ppg_lane", Lane * channels),
            *acc_first,
            ("ppg_clock", Clock),
            ("ready", c_int32),
            ("quiet", c_int32),
            ("pushes", c_uint32),
            ("ppg_marks", marks),
            *acc_marks,
            ("ppg_ring", c_int16 * channels * steps),
            *acc_last,
        ]

    return State


def gain_structure(front_end: FrontEnd) -> type[Structure]:
    """`ppg_gain_t`, see `state_structure`."""
    channels = front_end.ppg_channels
    acc: list[tuple[str, Any]] = []
    acc_shift: list[tuple[str, Any]] = []
    if front_end.acceleration:
        acc = [("acc_pairs", c_int64), ("acc_level", c_int32 * 3)]
        acc_shift = [("acc_shift", c_int16)]

    class Sums(Structure):
        _fields_ = [
            ("pairs", c_int64 * (channels * (channels + 1) // 2)),
            *acc,
            ("level", c_int32 * channels),
            ("shift", c_int16 * channels),
            *acc_shift,
            ("invalid", c_int16),
        ]

    class Gain(Structure):
        _fields_ = [("block", Sums * front_end.task.blocks), ("blocks", c_uint32)]

    return Gain
