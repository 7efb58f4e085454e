"""C of the decoder: from int8 logits to heart rate, spread and confidence."""

from __future__ import annotations

from deploy.device import smoothing
from deploy.device.c_text import CPart, macros, read_text, resolve, table
from deploy.device.decoder import CLIP_GAP_STEPS, CLIP_PERCENT, CLIP_READINGS, Decoder
from deploy.device.decoding import Calibration
from deploy.device.smoothing import Smoother
from deploy.device.weights import SUM_SHIFT, exponent_of
from ppg.readout.decode import MODE_HALF_WIDTH
from ppg.readout.smoothing import DOUBT_READINGS

_STARTED = {"DECODER_STARTED": "0x5047u"}
"""What a state says that holds readings: one that was never reset hardly does."""
_HELPERS = ("small", "shift_right", "bit_length", "square_root", "exp2")


def decoder_c(decoder: Decoder, *, heard_steps: int = 0) -> CPart:
    """`ppg_decode`, `ppg_smoother_reset`, `ppg_smooth`.

    Args:
        decoder: the rule.
        heard_steps: with more invalid ones a window says nothing to the smoother.
    """
    flags = {
        "DECODER_HMM": decoder.smoothing == "hmm",
        "DECODER_CLIP": decoder.smoothing == "clip",
    }
    text, table_bytes = _tables(decoder)
    classes = decoder.task.classes
    state_bytes = 2
    helpers: tuple[str, ...] = _HELPERS
    sizes: dict[str, object] = {"PPG_CLASSES": classes, "PPG_DECODE_WORDS": classes}
    if decoder.smoother is not None:
        sizes["DECODER_BAND"] = _band(decoder.smoother)
        state_bytes = 4 * (classes + 2 * _band(decoder.smoother)) + 8
        helpers = (*_HELPERS, "log2")
    elif decoder.smoothing == "clip":
        sizes["DECODER_CLIP_READINGS"] = CLIP_READINGS
        state_bytes = 2 * CLIP_READINGS + 6
    header = resolve(read_text("decoder.h"), flags).replace("DECODER_NAME", decoder.smoothing)
    functions = resolve(read_text("decoder.c"), flags).replace("DECODER_TABLES\n", text)
    return CPart(
        header=macros(sizes) + "\n" + header,
        functions=macros(_constants(decoder, heard_steps)) + "\n" + functions,
        helpers=helpers,
        table_bytes=table_bytes,
        state_bytes=state_bytes,
        scratch_bytes=4 * classes,
    )


def _band(by: Smoother) -> int:
    """Classes that a step of heart rate reaches to either side."""
    return len(by.by_distance) - 1


def _constants(decoder: Decoder, heard_steps: int) -> dict[str, object]:
    values: dict[str, object] = {
        "DECODER_EXPONENT": f"{exponent_of(decoder.scale)}u",
        "DECODER_FIRST_BPM": f"{decoder.task.lowest_bpm}u",
        "DECODER_HALF_WIDTH": MODE_HALF_WIDTH,
    }
    if decoder.smoothing == "clip":
        values |= {
            **_STARTED,
            "DECODER_HEARD_STEPS": heard_steps,
            "DECODER_CLIP_PERCENT": f"{CLIP_PERCENT}u",
            "DECODER_LONGEST_GAP": f"{CLIP_GAP_STEPS}u",
        }
    if decoder.smoother is not None:
        by = decoder.smoother
        values |= {
            **_STARTED,
            "DECODER_HEARD_STEPS": heard_steps,
            "DECODER_START": f"{by.start}u",
            "DECODER_JUMP": f"{by.jump}u",
            "DECODER_LEAST": f"{by.least}u",
            "DECODER_ENDS": len(by.edge),
            "DECODER_FLOOR": f"{by.evidence.floor.mantissa}u",
            "DECODER_SUM_SHIFT": SUM_SHIFT,
            "DECODER_FLOOR_SHIFT": by.evidence.floor.shift,
            "DECODER_POWER": f"{by.evidence.exponent}u",
            "DECODER_LONGEST_GAP": f"{smoothing.LONGEST_GAP_STEPS}u",
            "DECODER_DOUBT_READINGS": f"{DOUBT_READINGS}u",
            "DECODER_DOUBT_SHIFT": smoothing.DOUBT_SHIFT,
        }
    return values


def _tables(decoder: Decoder) -> tuple[str, int]:
    """Text and bytes of the constants in flash."""
    text, size = _CALIBRATION_TYPE, 0
    for name, calibration in (
        ("decoder_raw_calibration", decoder.raw_calibration),
        ("decoder_calibration", decoder.calibration),
    ):
        added, more = _calibration(name, calibration)
        text, size = text + "\n" + added, size + more
    if decoder.smoother is not None:
        added, more = _smoother(decoder.smoother)
        text, size = text + "\n" + added, size + more
    return text, size


_CALIBRATION_TYPE = """\
/* Knots of spread and expected error in 1/256 BPM, linear between them; none: the spread. */
typedef struct {
    const uint16_t *spread;
    const uint16_t *error;
    int count;
} decoder_calibration_t;
"""


def _calibration(name: str, calibration: Calibration | None) -> tuple[str, int]:
    """Text and bytes on a 32-bit core of one map."""
    head = f"static const decoder_calibration_t {name} = "
    if calibration is None:
        return head + "{0, 0, 0};\n", 12
    count = len(calibration.spread_q8)
    text = table("uint16_t", f"{name}_spread", calibration.spread_q8)
    text += table("uint16_t", f"{name}_error", calibration.error_q8)
    return text + head + f"{{{name}_spread, {name}_error, {count}}};\n", 12 + 4 * count


def _smoother(by: Smoother) -> tuple[str, int]:
    text = "/* A step of heart rate by distance, and what the ends lose. */\n"
    text += table("uint32_t", "decoder_step", by.by_distance)
    text += table("uint32_t", "decoder_edge", by.edge)
    return text, 4 * (len(by.by_distance) + len(by.edge))
