"""`ppg_adapt.c` and `ppg_adapt.h`: the rule of `deploy.personal.fit` in C99, for one head.

The text lies in `text/`; what is written here are sizes, constants and tables. The C computes what
numpy does, on every bit.
"""

from __future__ import annotations

from pathlib import Path

from deploy.device.c_text import macros, resolve, table
from deploy.personal.fit import (
    CERTAINTY,
    ERROR_BITS,
    FEWEST_WINDOWS,
    FOLDS,
    LABEL_FACTOR,
    SETTINGS,
    shared,
)
from deploy.personal.head import EXP2, TAP_BITS, Head
from deploy.personal.kinds import (
    BIAS_BITS,
    GRADIENT_BITS,
    PARAMETER_BITS,
    Change,
    Kind,
    Whole,
    change_of,
)
from deploy.personal.memory import check_memory, memory_of, words

_TEXT = Path(__file__).parent / "text"
_KEPT = "0x5041u"
"""What a state says whose head is adapted: one that was never reset hardly does."""
_HELPERS = ("shift_right", "floor_divide", "line")


def adapt_texts(head: Head, kind: Kind, *, windows: int) -> dict[str, str]:
    """`ppg_adapt.c` and `ppg_adapt.h`.

    Args:
        windows: the most that are kept.

    Raises:
        ExportError: it takes more memory than allowed.
    """
    change = change_of(kind, head)
    check_memory(memory_of(head, change, windows=windows), kind=kind)
    flags = {
        "ADAPT_BIAS": kind == "bias",
        "ADAPT_SCALE_BIAS": kind == "scale-bias",
        "ADAPT_SPREAD": head.spread is not None,
    }
    sizes: dict[str, object] = {
        "PPG_ADAPT_FEATURES": head.features,
        "PPG_ADAPT_OUTPUTS": head.outputs,
        "PPG_ADAPT_WINDOWS": windows,
        "PPG_ADAPT_PARAMETERS": sum(change.sizes),
        "PPG_ADAPT_WEIGHT_BYTES": words(head.outputs * head.features),
        "PPG_ADAPT_FEATURE_BYTES": words(windows * head.features),
        "PPG_ADAPT_LABELS": windows + windows % 2,
    }
    source = resolve(_read("adapt.c"), flags)
    helpers = [name for name in _HELPERS if f"fixed_{name}(" in source or name == "shift_right"]
    for mark, text in (
        ("ADAPT_CONSTANTS\n", macros(_constants(head, kind, change))),
        ("ADAPT_HELPERS\n", "\n".join(_read(f"{name}.c") for name in helpers)),
        ("ADAPT_TABLES\n", _tables(head)),
    ):
        source = source.replace(mark, text)
    header = _read("adapt.h").replace("ADAPT_SIZES\n", macros(sizes)).replace("ADAPT_NAME", kind)
    return {"ppg_adapt.c": source, "ppg_adapt.h": header}


def _constants(head: Head, kind: Kind, change: Change) -> dict[str, object]:
    settings = SETTINGS[kind]
    values: dict[str, object] = {
        "ADAPT_FEATURE_ZERO": head.feature_zero,
        "ADAPT_LOGIT_ZERO": head.logit_zero,
        "ADAPT_LEFT": head.ending.by.left,
        "ADAPT_LOW": f"({head.ending.low})",
        "ADAPT_HIGH": head.ending.high,
        "ADAPT_EXPONENT": f"{head.exponent}u",
        "ADAPT_FIRST_BPM": head.task.lowest_bpm,
        "ADAPT_LABEL_FACTOR": f"{LABEL_FACTOR}u",
        "ADAPT_GRADIENT_BITS": GRADIENT_BITS,
        "ADAPT_PARAMETER_BITS": PARAMETER_BITS,
        "ADAPT_BIAS_BITS": BIAS_BITS,
        "ADAPT_ERROR_SHIFT": GRADIENT_BITS + 8 - ERROR_BITS,
        "ADAPT_FOLDS": f"{FOLDS}u",
        "ADAPT_SHARED": f"{shared(head.task)}u",
        "ADAPT_CERTAINTY": CERTAINTY,
        "ADAPT_FEWEST": FEWEST_WINDOWS,
        "ADAPT_KEPT": _KEPT,
        "ADAPT_ROUNDS": f"{settings.rounds}u",
        "ADAPT_PULL": settings.pull,
    }
    rates = [*change.rates(settings.rate)]
    for part in range(2):  # a kind with one part has a second that is not read
        rate = rates[min(part, len(rates) - 1)]
        limit = change.limits[min(part, len(rates) - 1)]
        values[f"ADAPT_RATE_{part}"] = f"{rate.mantissa}u"
        values[f"ADAPT_SHIFT_{part}"] = rate.shift
        values[f"ADAPT_LIMIT_{part}"] = limit
    if isinstance(change, Whole):
        values |= {"ADAPT_ROWS": change.rows, "ADAPT_SPACING": change.spacing}
    if head.spread is not None:
        ending = head.spread.ending
        values |= {
            "ADAPT_PLACES": head.task.classes // head.outputs,
            "ADAPT_TAP_BITS": TAP_BITS,
            "ADAPT_TAP_LEFT": ending.by.left,
            "ADAPT_TAP_LOW": f"({ending.low})",
            "ADAPT_TAP_HIGH": ending.high,
        }
    return values


def _tables(head: Head) -> str:
    rows = [
        table("uint32_t", "adapt_exp2_table", EXP2),
        table("int8_t", "adapt_weights", head.weights.ravel().tolist()),
        table("int32_t", "adapt_biases", head.biases.tolist()),
        table("int32_t", "adapt_mantissas", head.ending.by.mantissa.tolist()),
    ]
    if head.spread is not None:
        spread = head.spread
        rows += [
            table("int8_t", "adapt_taps", spread.weights.ravel().tolist()),
            table("int32_t", "adapt_tap_biases", spread.biases.tolist()),
            table("int32_t", "adapt_tap_mantissas", spread.ending.by.mantissa.tolist()),
            table("int32_t", "adapt_back_taps", spread.back.ravel().tolist()),
        ]
    return "\n".join(rows)


def _read(name: str) -> str:
    return (_TEXT / name).read_text(encoding="utf-8")
