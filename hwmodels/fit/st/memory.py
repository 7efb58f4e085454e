"""Memory that ST's tools publish: activations (nothing fitted), code and runtime by version.

Code is a base, what convolutions, windows along two axes and additions link, and what every
operator adds; the runtime's RAM a base and what every operator adds. Both are fitted per version
and judged on networks that were left out, under whatever names they were published.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import zip_longest
from typing import cast

import numpy as np

from hwmodels.engines import file
from hwmodels.engines.kernels import geometry
from hwmodels.engines.load import DATA_DIR
from hwmodels.engines.st import (
    FOLDED,
    OLDER,
    code_kernel,
    is_line,
    layer_bytes,
    pooled_bytes,
)
from hwmodels.fit.law_file import around_one
from hwmodels.fit.regression import Array, HeldOut, half_width, leave_groups_out, solve
from hwmodels.fit.timings import (
    NETWORK_LAYERS_CSV,
    alike,
    csv_rows,
    layer_of,
    shape_of,
    st_version,
)
from hwmodels.operators import Op

MEMORY_CSV = DATA_DIR / "network_memory.csv"
CODE = ("conv", "conv_2d", "add")
_ADDS = ("add", "sub", "mul")


@dataclass(frozen=True)
class Memory:
    """One version.

    Attributes:
        activations: predicted by the rules alone.
        code, runtime: leave-one-network-out; bytes.
        code_bytes: base, `CODE`, an operator.
        runtime_bytes: base, an operator.
    """

    activations: HeldOut
    code: HeldOut
    runtime: HeldOut
    code_bytes: Array
    runtime_bytes: Array

    def document(self) -> file.StMemory:
        """What the file holds."""
        base, *kernels, operator = (round(float(n)) for n in self.code_bytes)
        return file.StMemory(
            activations=_bounds(self.activations),
            code=_bounds(self.code),
            code_base=base,
            code_per_op=operator,
            kernels=dict(zip(CODE, kernels, strict=True)),
            runtime_base=round(float(self.runtime_bytes[0])),
            runtime_per_op=round(float(self.runtime_bytes[1])),
            runtime=_bounds(self.runtime),
        )


def _bounds(found: HeldOut) -> file.Bounds:
    return around_one(half_width(found.residuals))


@dataclass(frozen=True)
class _Network:
    activation_bytes: int
    kernels: frozenset[str]
    ops: int


def fit_all() -> dict[str, Memory]:
    """By version."""
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in csv_rows(MEMORY_CSV):
        rows[st_version(row)].append(row)
    networks = {older: _networks(older=older) for older in (False, True)}
    versions = ("3", "10", *OLDER)
    return {version: _fit(rows[version], networks[version in OLDER]) for version in versions}


def _fit(rows: list[dict[str, str]], networks: dict[str, _Network]) -> Memory:
    same = alike()

    def published(column: str) -> tuple[list[_Network], Array, list[str]]:
        own = [row for row in rows if row[column] and float(row[column]) > 0]
        sizes = np.array([1024 * float(row[column]) for row in own])
        return [networks[row["model"]] for row in own], sizes, [same[row["model"]] for row in own]

    found, sizes, groups = published("activations_kib")
    predicted = np.array([float(n.activation_bytes) for n in found])
    activations = HeldOut(sizes, predicted, tuple(groups))

    def linear(column: str, kernels: tuple[str, ...]) -> tuple[HeldOut, Array]:
        found, sizes, groups = published(column)
        design = np.array(
            [[1.0, *(float(k in n.kernels) for k in kernels), float(n.ops)] for n in found]
        )
        left_out = leave_groups_out(
            groups, sizes, lambda seen, out: design[out] @ solve(design[seen], sizes[seen])
        )
        return left_out, solve(design, sizes)

    code, code_bytes = linear("code_kib", CODE)
    runtime, runtime_bytes = linear("runtime_kib", ())
    return Memory(activations, code, runtime, code_bytes, runtime_bytes)


def _networks(*, older: bool) -> dict[str, _Network]:
    layers: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in csv_rows(NETWORK_LAYERS_CSV):
        if row["in_shape"] and row["out_shape"]:
            layers[row["model"]].append(row)
    return {model: _network(rows, older=older) for model, rows in layers.items()}


def _network(rows: list[dict[str, str]], *, older: bool) -> _Network:
    peak, kernels, ops = 0, set(), 0
    # The table of layers holds no constants: without gates, what multiplies is one.
    gated = any(row["op"] == "logistic" for row in rows)
    pooled: int | None = None
    for row, after in zip_longest(rows, rows[1:]):
        layer = layer_of(row)
        source, target = shape_of(row["in_shape"]), shape_of(row["out_shape"])
        joins = layer.op in ("add", "sub") or (layer.op == "mul" and gated)
        inputs = [source, target] if joins else [source]
        with_conv, pooled = pooled is not None, None
        if older and is_line(layer.op, layer.kernel) and after and after["op"] == "max_pool":
            pooled = pooled_bytes(layer_of(after), target, shape_of(after["out_shape"]))
        own = layer_bytes(layer, inputs, target, older=older, pooled=pooled)
        if not with_conv:
            peak = max(peak, own + int(row["kept_bytes"] or 0))
        kernel = code_kernel(cast(Op, row["op"]), geometry(layer, source, target))
        kernels |= {"add"} if kernel in _ADDS else {"conv", kernel} if "conv" in kernel else set()
        ops += row["op"] not in FOLDED
    return _Network(peak, frozenset(kernels), ops)
