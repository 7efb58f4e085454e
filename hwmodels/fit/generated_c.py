"""Fit of generated C: `python -m hwmodels.fit` writes `data/c_law_m7.toml`.

From `data/c_steps_m7.csv`, which `python -m deploy.fuzz.counting` makes. Cycles of a kind of
step are a non-negative linear law of its counts (`hwmodels.generated_c.shapes`); the
unrolled depthwise part has one number for each kernel and stride. The errors of whole networks are
those of ten folds, each predicted by laws fitted without its networks. Other networks of the same
spaces hold layers of the same shapes, so this says how well new networks of such spaces are met.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwmodels.engines.load import DATA_DIR
from hwmodels.fit.regression import Array, HeldOut, half_width, solve
from hwmodels.fit.timings import csv_rows
from hwmodels.generated_c.law import (
    DepthwiseTable,
    KindLaw,
    LawFile,
    NetworkErrors,
    StreamingLaw,
)
from hwmodels.generated_c.shapes import (
    CODE,
    COLUMNS,
    CYCLES,
    StepShape,
    code_features,
    cycle_features,
    depthwise_count,
)

STEPS_CSV = DATA_DIR / "c_steps_m7.csv"
STREAMING_CSV = DATA_DIR / "c_streaming_m7.csv"
LAW_TOML = DATA_DIR / "c_law_m7.toml"
FOLDS = 10
_LARGEST = ("steps", "channels", "outputs")


@dataclass(frozen=True)
class Row:
    """One function in emulation: its shape, and what one call of it took.

    Streaming, it keeps `kept` bytes between blocks, of which `apart` move two by two.
    """

    network: int
    shape: StepShape
    calls: int
    cycles: float
    code_bytes: float
    kept: int = 0
    apart: int = 0


def read_rows(path: Path = STEPS_CSV) -> list[Row]:
    """Rows of the table of counts."""
    rows = []
    for line in csv_rows(path):
        numbers = (int(line[column]) for column in COLUMNS[1:])
        rows.append(
            Row(
                int(line["network"]),
                StepShape(line["kind"], *numbers),
                int(line["calls"]),
                float(line["cycles"]),
                float(line["code_bytes"]),
                int(line.get("kept_bytes", 0)),
                int(line.get("kept_apart", 0)),
            )
        )
    return rows


def _keys(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """`(stride, taps)` of the depthwise kernels."""
    return sorted({(row.shape.stride, row.shape.taps) for row in rows})


def _design(rows: Sequence[Row], keys: Sequence[tuple[int, int]], *, code: bool) -> Array:
    """Features, then one column for each depthwise kernel, `(rows, features + kernels)`."""
    table = []
    for row in rows:
        shape = row.shape
        own = code_features(shape) if code else cycle_features(shape)
        count = 1 if code else depthwise_count(shape)
        kernel = [count * ((shape.stride, shape.taps) == key) for key in keys]
        table.append([*own, *kernel])
    return np.array(table, dtype=np.float64)


@dataclass(frozen=True)
class KindFit:
    """Coefficients of one kind: features first, then its depthwise kernels."""

    keys: tuple[tuple[int, int], ...]
    cycles: Array
    code: Array

    def predict(self, rows: Sequence[Row], what: str) -> Array:
        """Predictions of `cycles` or `code` for rows of the kind."""
        design = _design(rows, self.keys, code=what == "code")
        return np.asarray(design @ getattr(self, what), dtype=np.float64)


def fit_kind(rows: Sequence[Row]) -> KindFit:
    """Fit one kind of step."""
    keys = _keys(rows) if rows[0].shape.kind == "separable" else []
    design = _design(rows, keys, code=False)
    code = _design(rows, keys, code=True)
    # Bytes by least squares with a little shrinking: a kernel may be the only one of its features.
    ridge = 1e-3 * np.eye(code.shape[1])
    return KindFit(
        tuple(keys),
        solve(design, np.array([row.cycles for row in rows])),
        np.linalg.solve(
            code.T @ code + ridge, code.T @ np.array([row.code_bytes for row in rows])
        ),
    )


def by_kind(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by kind of step."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.shape.kind].append(row)
    return dict(found)


def held_out(rows: Sequence[Row]) -> tuple[HeldOut, HeldOut]:
    """Cycles and code of whole networks as a search draws them, in `FOLDS` folds.

    Networks of a fold with kernels that no other fold has are left out; so are those with plain
    loops, of which each step has bounds of its own (`KindLaw.half_width`).
    """
    foreign = {row.network for row in rows if row.shape.plain}
    networks = sorted({row.network for row in rows} - foreign)
    totals: dict[int, list[float]] = {}
    for fold in range(FOLDS):
        out = set(networks[fold::FOLDS])
        seen = by_kind([row for row in rows if row.network not in out])
        fits = {kind: fit_kind(members) for kind, members in seen.items()}
        for network in sorted(out):
            members = [row for row in rows if row.network == network]
            if any(not _covered(row, fits) for row in members):
                continue
            of_cycles = [float(fits[r.shape.kind].predict([r], "cycles")[0]) for r in members]
            of_code = [float(fits[r.shape.kind].predict([r], "code")[0]) for r in members]
            totals[network] = [
                sum(row.cycles * row.calls for row in members),
                sum(c * row.calls for c, row in zip(of_cycles, members, strict=True)),
                sum(row.code_bytes for row in members),
                sum(of_code),
            ]
    groups = tuple(sorted(totals))
    cycles, predicted, code, predicted_code = np.array([totals[network] for network in groups]).T
    return HeldOut(cycles, predicted, groups), HeldOut(code, predicted_code, groups)


def _half_width(rows: Sequence[Row], what: str) -> float:
    """Half width of 90 % of single functions, in logs, each predicted without its network's."""
    networks = sorted({row.network for row in rows})
    logs: list[Array] = []
    for fold in range(min(FOLDS, len(networks))):
        out = set(networks[fold::FOLDS])
        seen = [row for row in rows if row.network not in out]
        fit = fit_kind(seen)
        left = [row for row in rows if row.network in out and _covered(row, {row.shape.kind: fit})]
        if left:
            known = "cycles" if what == "cycles" else "code_bytes"
            measured = np.array([getattr(row, known) for row in left])
            logs.append(np.log(measured / np.maximum(fit.predict(left, what), 1.0)))
    return round(half_width(np.concatenate(logs)), 4)


def _covered(row: Row, fits: dict[str, KindFit]) -> bool:
    fit = fits.get(row.shape.kind)
    if fit is None:
        return False
    return not fit.keys or (row.shape.stride, row.shape.taps) in fit.keys


def document(rows: Sequence[Row], streaming: Sequence[Row]) -> LawFile:
    """The law file.

    Args:
        rows: of windows.
        streaming: of blocks.
    """
    kinds: dict[str, KindLaw] = {}
    tables: list[DepthwiseTable] = []
    for kind, members in sorted(by_kind(rows).items()):
        fit = fit_kind(members)
        measured = np.array([row.cycles for row in members])
        error = float(np.mean(np.abs(fit.predict(members, "cycles") / measured - 1)))
        size, code_size = len(CYCLES[kind]), len(CODE[kind])
        kinds[kind] = KindLaw(
            functions=len(members),
            mean_error=round(error, 5),
            features=CYCLES[kind],
            cycles=_rounded(fit.cycles[:size]),
            code_features=CODE[kind],
            code=_rounded(fit.code[:code_size]),
            largest={key: max(getattr(row.shape, key) for row in members) for key in _LARGEST},
            half_width=_half_width(members, "cycles"),
            code_half_width=_half_width(members, "code"),
        )
        for stride in sorted({stride for stride, _ in fit.keys}):
            chosen = [index for index, key in enumerate(fit.keys) if key[0] == stride]
            tables.append(
                DepthwiseTable(
                    stride=stride,
                    taps=tuple(fit.keys[index][1] for index in chosen),
                    cycles=_rounded(fit.cycles[size:][chosen]),
                    code=_rounded(fit.code[code_size:][chosen]),
                )
            )
    cycles, code = held_out(rows)
    errors = NetworkErrors(
        networks=len(cycles.groups),
        mean_error=round(cycles.mape, 5),
        worst_error=round(float(np.max(np.abs(cycles.errors))), 5),
        half_width=round(half_width(cycles.residuals), 5),
        code_half_width=round(half_width(code.residuals), 5),
    )
    return LawFile(
        source="python -m hwmodels.fit, from c_steps_m7.csv (python -m deploy.fuzz.counting)",
        networks=errors,
        streaming=streaming_law(streaming, by_kind(rows)),
        depthwise=tuple(tables),
        kinds=kinds,
    )


def streaming_law(rows: Sequence[Row], windows: dict[str, list[Row]]) -> StreamingLaw:
    """What keeping a past adds to the laws of windows; its errors are those of whole networks.

    The laws of `windows` never saw a block. What is fitted here are eight numbers, on rows of more
    than a hundred networks: no folds.
    """
    fits = {kind: fit_kind(members) for kind, members in windows.items()}
    rows = [row for row in rows if _covered(row, fits)]
    keeps = [row for row in rows if row.kept and row.shape.kind in ("window", "separable")]
    pools = [row for row in rows if row.kept and row.shape.kind in ("avg_pool", "max_pool")]

    def known(row: Row, what: str) -> float:
        return float(fits[row.shape.kind].predict([row], what)[0])

    def solved(some: Sequence[Row], features: Sequence[Sequence[float]]) -> Array:
        measured = np.array([row.cycles for row in some])
        return solve(
            np.array(features, float), measured, np.array([known(row, "cycles") for row in some])
        )

    def more_code(some: Sequence[Row]) -> float:
        return round(float(np.mean([row.code_bytes - known(row, "code") for row in some])), 1)

    kept = solved(keeps, [(1, row.kept, row.apart) for row in keeps])
    pool = solved(pools, [(1, row.shape.channels, row.kept) for row in pools])
    totals: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        more = kept @ (1, row.kept, row.apart) if row.kept else 0.0
        if row.kept and row.shape.kind in ("avg_pool", "max_pool"):
            more = pool @ (1, row.shape.channels, row.kept)
        totals[row.network][0] += row.cycles * row.calls
        totals[row.network][1] += (known(row, "cycles") + float(more)) * row.calls
    measured, predicted = np.array(list(totals.values())).T
    errors = HeldOut(measured, predicted, tuple(totals))
    first, byte, apart = _rounded(kept)
    call, channel, sums = _rounded(pool)
    return StreamingLaw(
        networks=len(totals),
        mean_error=round(errors.mape, 5),
        worst_error=round(float(np.max(np.abs(errors.errors))), 5),
        half_width=round(half_width(errors.residuals), 5),
        kept=(first, byte, apart),
        pool=(call, channel, sums),
        kept_code=more_code(keeps),
        pool_code=more_code(pools),
    )


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)
