"""Held-out errors of the hardware models, against the goals that the project set itself.

Every figure is of points that the law which predicts them never saw: a network with all of its
measurements, or all layers with weights of one shape, is left out together. The share inside the
90 % interval is nested in the same way: the interval of a point comes from other groups'
residuals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from hwmodels.arena import aligned
from hwmodels.engines.kernels import kernel_class, scratch_bytes
from hwmodels.engines.load import DATA_DIR, load_engine
from hwmodels.fit import counted as fit
from hwmodels.fit import generated_c
from hwmodels.fit import timed as fit_timed
from hwmodels.fit.networks import NetworkFit
from hwmodels.fit.regression import (
    Array,
    HeldOut,
    leave_groups_out_linear,
    share_within_others,
)
from hwmodels.fit.rows import Row, kernels, percent, share_by_group
from hwmodels.fit.st.rows import st_rows
from hwmodels.fit.timings import STREAMING, TimedLayer, csv_rows, timed_layers

POWER_CSV = DATA_DIR / "active_power.csv"


def rows() -> list[Row]:
    """The whole table, a few seconds."""
    counted, ratios = fit.fit_all()
    timed = fit_timed.fit_all(counted)
    return [
        *networks_rows(timed.networks),
        *[layers_row(mcu, timed) for mcu in timed.laws],
        counted_row(),
        arena_row(timed_layers()),
        power_row(),
        *[other_builds_row(core, found) for core, found in timed.builds.items()],
        *anchored_rows(timed, ratios, counted),
        *generated_rows(),
        *st_rows(),
    ]


def anchored_rows(
    timed: fit_timed.TimedFit,
    ratios: Sequence[tuple[str, str, float]],
    counted: dict[str, fit.Law],
) -> list[Row]:
    """After one network was measured: timed and counted laws, by pairs of networks."""
    networks = timed.networks.held_out.residuals
    return [
        anchored_row("tflm-cmsis-nn anchored, Cortex-M7", networks, [""] * len(networks),
                     "pairs of the networks of the first line"),
        *[
            anchored_row(f"tflm-cmsis-nn anchored, {core}", found.held_out.residuals,
                         found.builds, "pairs of networks in one build on one board")
            for core, found in timed.builds.items()
        ],
        anchored_row(
            "tflm-cmsis-nn-99f736a anchored, Cortex-M7",
            np.log([ratio for _, _, ratio in ratios]), [""] * len(ratios),
            "pairs of measured over counted, the same networks: of other builds than the counts"),
        *[
            anchored_row(f"tflm-cmsis-nn-99f736a anchored, {core}", found.residuals, found.builds,
                         "pairs of networks in one build on one board, measured over counted")
            for core in timed.builds
            for found in (fit.by_build(counted, core),)
        ],
    ]  # fmt: skip


def networks_rows(found: NetworkFit) -> list[Row]:
    """Whole networks under TFLM with CMSIS-NN on a Cortex-M7."""
    toy = [abs(e) for n, e in zip(found.networks, found.held_out.errors, strict=True)
           if n.latency_ms >= 10]  # fmt: skip
    what = "TFLM + CMSIS-NN whole networks, Cortex-M7"
    return [
        percent(
            f"{what}, leave one network out",
            "whole_networks.csv",
            found.held_out,
            3.5,
            "all int8 rows of runtime TFLM+CMSIS-NN on a Cortex-M7 whose layers are known (9 on "
            "STM32F746, 1 on STM32H743), fitted with 6 of the same build on an STM32F446; left "
            "out: 6 rows on STM32H743 without layers. One is printed as 3 ms, so +-17 % by "
            f"rounding; without it {100 * np.mean(toy):.2f} %",
        ),
        percent(
            f"{what}, board not seen",
            "whole_networks.csv",
            found.new_board,
            3.0,
            "all rows of a board are left out: STM32F746 by the network on STM32H743 and those on "
            "STM32F446, STM32H743 by the other two. Where the network is left out on every board "
            f"too, {100 * found.new.mape:.2f} %",
        ),
    ]


def layers_row(mcu: str, timed: fit_timed.TimedFit) -> Row:
    """Single layers of one part."""
    laws = timed.laws[mcu]
    errors = ", ".join(f"{name} {100 * law.held_out.mape:.2f} %" for name, law in laws.items())
    core = next(row.core for row in timed.layers if row.mcu == mcu)
    return kernels(
        f"single layers on {core} ({mcu}), leave one shape group out",
        "layer_cycles_tflm.csv",
        {name: law.held_out for name, law in laws.items()},
        2.5,
        f"all rows; a group is all layers with weights of one shape; {errors}",
    )


def counted_row() -> Row:
    """Instructions counted in emulation."""
    parts = {}
    for name, counted in fit.read_counts().items():
        # Element-wise kernels have no weights: their size is their shape.
        groups = [
            (g.columns,) if name == "add" else (g.kernel_h, g.kernel_w, g.cin, g.cout)
            for g in counted.geometries
        ]
        parts[name] = leave_groups_out_linear(
            fit.design(name, counted.geometries), counted.instructions, groups
        )
    return kernels(
        "emulated CMSIS-NN instructions, Cortex-M7, leave one shape group out",
        "layer_counts_cmsisnn_m7.csv",
        parts,
        1.5,
        "all rows; a group is all layers with weights of one shape (one length for add); softmax "
        "(3 rows) and max_pool (4) are the worst",
        evidence="counted",
    )


def planned_bytes(row: TimedLayer) -> int:
    """What the planner places for a network of one convolution."""
    kernel = kernel_class("conv", row.geometry)
    return (
        aligned(row.input_bytes)
        + aligned(row.output_bytes)
        + aligned(scratch_bytes(kernel, row.geometry))
    )


def arena_row(layers: Sequence[TimedLayer]) -> Row:
    """TFLM arena of networks of one layer, by the engine's rules."""
    rules = load_engine("tflm-cmsis-nn").sram
    overhead = rules.arena_base.value + rules.arena_per_op.value
    errors = np.array(
        [
            planned_bytes(row)
            + overhead
            + rules.arena_per_channel.value * row.geometry.cout
            - row.arena_bytes
            for row in layers
        ]
    )
    return Row(
        "TFLM arena of single layers, worst",
        "layer_cycles_tflm.csv",
        len(layers),
        len({row.group for row in layers}),
        31.0,
        float(np.max(np.abs(errors))),
        "B",
        share_within_others(errors, [row.group for row in layers]),
        f"tensors and scratch as planned + 8 B a channel + {overhead:.0f} B, nothing fitted but "
        f"that constant; {np.mean(errors == 0):.1%} are exact",
    )


def power_row() -> Row:
    """Active power of a network from the other networks on the same part, supply and version."""
    states: dict[tuple[str, ...], list[tuple[str, float]]] = defaultdict(list)
    for row in csv_rows(POWER_CSV):
        if row["model"] != STREAMING:
            key = (row["mcu"], row["clock_mhz"], row["runtime_version"], row["supply"])
            states[key].append((row["model"], float(row["power_mw"])))
    measured, predicted, groups = [], [], []
    for state, found in states.items():
        powers = np.array([power for _, power in found])
        for index, (model, power) in enumerate(found):
            if len(found) > 1:
                measured.append(power)
                predicted.append(float(np.mean(np.delete(powers, index))))
                groups.append((state, model))
    held_out = HeldOut(np.array(measured), np.array(predicted), tuple(groups))
    parts = sorted({key[0] for key, _ in groups})
    return percent(
        "active power of the measured boards, leave one network out",
        "active_power.csv",
        held_out,
        5.0,
        f"{', '.join(parts)} in {len({key for key, _ in groups})} states (clock, supply, tool "
        "version): a network's power from the mean of the other networks' in that state; left "
        "out: a streaming network whose figure is an average with sleep",
        evidence="published",
    )


def other_builds_row(core: str, found: fit_timed.OtherBuilds) -> Row:
    """Whole networks in builds, and on boards, that nothing was fitted to."""
    builds = sorted({f"{mcu} {runtime} {version}" for mcu, runtime, version in found.builds})
    return percent(
        f"TFLM + CMSIS-NN whole networks, {core}, build and board not seen",
        "whole_networks.csv",
        found.held_out,
        None,
        f"by single layers of another part: {', '.join(builds)}; all submissions",
        inside=share_by_group(found.held_out),
    )


def anchored_row(what: str, residuals: Array, together: Sequence[Hashable], note: str) -> Row:
    """One network foretold from another one that was measured on the same board and build."""
    pairs = [
        (i, j) for i in range(len(residuals)) for j in range(i)
        if together[i] == together[j]
    ]  # fmt: skip
    off = [float(residuals[i] - residuals[j]) for i, j in pairs]
    held_out = HeldOut(np.exp(off), np.ones(len(off)), tuple(pairs))
    return percent(what, "whole_networks.csv", held_out, None, note)


def generated_rows() -> list[Row]:
    """Generated C: cycles and code, both emulated."""
    cycles, code = generated_c.held_out(generated_c.read_rows())
    note = "functions of networks that ran in emulation; a network is left out; no chip was timed"
    return [
        percent(f"generated C, {what}, emulated Cortex-M7, leave one network out",
                "c_steps_m7.csv", held_out, None, note, evidence="counted")
        for what, held_out in (("cycles", cycles), ("code", code))
    ]  # fmt: skip
