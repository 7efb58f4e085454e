"""Calls of layers that keep a state from step to step of a window."""

from __future__ import annotations

from math import prod

from deploy.c.calls import Call, Context, table
from deploy.integers import lstm
from hwmodels.graph import Layer


def lstm_call(c: Context, layer: Layer) -> Call:
    """Its state lies in the step's own room and begins at zero."""
    source, target = (c.net.graph.shape(name) for name in (layer.inputs[0], layer.output))
    by, (low, high) = c.net.lstm_factors(layer), c.limits(layer)
    sizes = f"{prod(target[:-1])}, {source[-1]}, {target[-1]}"
    body = [
        "(const int8_t *x, int8_t *y, int16_t *room, const int8_t *weights, const int32_t *bias,",
        "    const int32_t *by, const uint16_t *curve, int32_t base, int32_t zero,",
        "    int32_t hidden, int shift, int left, int32_t clip)",
        "{",
        f"    const lstm_t s = {{{sizes}, base, zero, hidden, shift, left, clip}};",
        f"    plain_lstm(x, y, room, weights, bias, by, curve, s, {low}, {high});",
        "}",
    ]
    pairs = [part for both in zip(by.inputs, by.outputs, strict=True) for part in both]
    arguments = (
        c.place(c.step.source, step=0),
        c.place(c.step.target, step=0),
        c.room.replace("uint32_t", "int16_t"),
        table("int8_t", c.net.weights[layer.name].ravel()),
        table("int32_t", c.net.biases[layer.name]),
        table("int32_t", [int(n) for one in pairs for n in (one.mantissa, one.shift)]),
        table("uint16_t", lstm.table()),
        str(c.zero_point(layer.inputs[0])),
        str(c.zero_point(layer.output)),
        str(by.hidden.mantissa),
        str(by.hidden.shift),
        str(by.power - lstm.GATE_POWER),
        str(by.clip),
    )
    return Call("lstm", "\n".join(body), arguments, ("pointwise", "generic", "lstm"))
