"""The page of `bench deploy`: goals first, then network by network."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import astuple

import numpy as np

from nas.bench.deploy.rows import (
    CMSIS_GOALS,
    EMULATED_WINDOWS,
    GOALS,
    HOST_WINDOWS,
    STREAMING_GOAL,
    WHOLE_GOALS,
    Row,
)
from ppgnas.tables import markdown_table

COMMAND = "ppgnas bench deploy"


def summary(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """`(what, goal, measured)` over all rows."""
    windows = f"{HOST_WINDOWS} windows and more a network on the host, {EMULATED_WINDOWS} emulated"
    host = sum(row.host_differences for row in rows)
    emulated = sum(row.emulated_differences for row in rows)
    tflm = [row.tflm_differences for row in rows]
    micro = "not installed" if None in tflm else str(sum(n or 0 for n in tflm))
    xnnpack = max(row.xnnpack_max_lsb for row in rows)
    shares = [row.xnnpack_bpm_share for row in rows if row.xnnpack_bpm_share is not None]
    agree = f"{min(shares):.2%} (worst finalist)" if shares else "no run given"
    cmsis = [row.cmsis_cycles for row in rows]
    others = [row.cmsis_differences for row in rows if row.cmsis_differences is not None]
    cycles = np.abs([row.cycles_error for row in rows])
    flash = np.abs([row.flash_error for row in rows])
    sram = max(abs(row.sram_error_bytes) for row in rows)
    made = [row for row in rows if row.name in GOALS]
    streams = [row.streamed for row in rows if row.streamed is not None]
    apart = f"{sum(by.differences for by in streams)} ({len(streams)} networks)"
    return [
        *(
            (f"cycles per MAC, {row.name}", f"{GOALS[row.name]:.2f}", f"{row.cycles_per_mac:.2f}")
            for row in made
        ),
        *(
            (
                f"window over streaming, {row.name}: instructions, mJ a reading",
                f"{STREAMING_GOAL}",
                row.fewer,
            )
            for row in made
        ),
        *(
            (f"raw samples to smoothed, {row.name}, streaming: {what}", goal, f"{value:,}")
            for row in made
            if row.whole is not None
            for what, goal, value in zip(
                ("instructions a reading", "flash B", "SRAM B"),
                WHOLE_GOALS.get(row.name, "---"),
                astuple(row.whole),
                strict=True,
            )
        ),
        ("streaming C emulated against one long pass", "0", apart),
        *(
            (
                f"CMSIS-NN cycles over ours, {row.name}",
                f"{CMSIS_GOALS[row.name]}",
                f"{row.cmsis_cycles:.2f}",
            )
            for row in made
        ),
        (
            "CMSIS-NN cycles over ours, all networks",
            "-",
            f"{min(cmsis):.2f} to {max(cmsis):.2f} (median {np.median(cmsis):.2f})",
        ),
        ("CMSIS-NN against the reference", "0", str(sum(others)) if others else "not run"),
        ("C on the host against its reference", "0", f"{host} ({windows})"),
        ("C emulated against its reference", "0", str(emulated)),
        ("TFLite Micro against the reference", "0", micro),
        ("LiteRT with XNNPACK, largest difference", "2 LSB", f"{xnnpack} LSB"),
        ("the same in heart rate: windows within 0.1 BPM", "99.9 %", agree),
        ("single against double rounding", "-", f"{max(r.rules_max_lsb for r in rows)} LSB"),
        ("predicted cycles, mean error", "2 %", f"{cycles.mean():.2%}"),
        ("predicted cycles, worst error", "5 %", f"{cycles.max():.2%}"),
        ("flash of the linked model, mean error", "1 %", f"{flash.mean():.2%}"),
        ("flash of the linked model, worst error", "-", f"{flash.max():.2%}"),
        ("SRAM of the linked model", "exact", f"{sram} B"),
    ]


_COLUMNS = (
    ("network", "{0.name}"),
    ("MAC", "{0.macs}"),
    ("weights B", "{0.weight_bytes}"),
    ("cycles", "{0.cycles:.0f}"),
    ("per MAC", "{0.cycles_per_mac:.2f}"),
    ("predicted", "{0.cycles_error:+.1%}"),
    ("CMSIS-NN / ours", "{0.cmsis_cycles:.2f}"),
    ("instructions", "{0.instructions}"),
    ("per MAC", "{0.instructions_per_mac:.2f}"),
    ("CMSIS-NN / ours", "{0.cmsis_instructions:.2f}"),
    ("flash B", "{0.flash_bytes}"),
    ("predicted", "{0.flash_error:+.1%}"),
    ("scratch B", "{0.scratch_bytes}"),
    ("stack B", "{0.stack_bytes}"),
    ("window / streaming: instructions, cycles", "{0.fewer}"),
    ("streaming: scratch and state B", "{0.streamed_memory}"),
)


def markdown(rows: Sequence[Row], command: str) -> str:
    """The page of `results/reference/deploy.md`."""
    from deploy.emulation.toolchain import find_compiler
    from hwmodels.fit.counted import CYCLES_PER_INSTRUCTION

    compiler = find_compiler()
    cmsis = (
        "CMSIS-NN is not run here: its instructions follow laws counted in emulation (99f736a, "
        f"gcc 12.2 -O3), its cycles are {CYCLES_PER_INSTRUCTION} an instruction, as in the same "
        "pipeline model."
    )
    if rows[0].cmsis_differences is not None:
        cmsis = (
            "CMSIS-NN is built by the same compiler with the same flags and emulated alike: the "
            "same integers, one call a layer, without an interpreter."
        )
    networks = [[form.format(row) for _, form in _COLUMNS] for row in rows]
    parts = [
        "# Files for the device",
        f"`{command}`, on Python {platform.python_version()}; C built by {compiler.name} "
        f"{compiler.version} at -O2 for a Cortex-M7. Emulated, not measured: instructions, stack "
        "and outputs are exact for the image, cycles are those of the pipeline model of "
        f"docs/emulation.md. {cmsis}",
        markdown_table(("what", "goal", "here"), summary(rows)),
        markdown_table([title for title, _ in _COLUMNS], networks),
    ]
    return "\n\n".join(parts) + "\n"
