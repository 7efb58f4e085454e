"""What generated C takes on cores without DSP, relative to a Cortex-M7.

    python -m deploy.fuzz.cores --networks 16

draws networks (`deploy.fuzz.counting`), builds each for a Cortex-M7, an M3 and an M0+ and runs one
window in emulation. It prints instructions a MAC, and instructions times cycles an instruction
(`hwmodels.path.SINGLE_ISSUE`, an assumption: the pipeline model is a Cortex-M7's) over the cycles
on the M7: `core_ratios` of the engine `ppgnas-c`.
"""

from __future__ import annotations

import argparse

import numpy as np

from deploy.emulation.toolchain import find_compiler
from deploy.fuzz.counting import draw, emulated
from deploy.fuzz.matrix import for_core
from deploy.fuzz.random_net import random_net
from hwmodels.path import SINGLE_ISSUE

CORES = ("M3", "M0+")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    compiler = find_compiler()
    each: dict[str, list[tuple[float, float]]] = {core: [] for core in CORES}
    for number, graph in enumerate(draw(arguments.networks, arguments.seed, "window")):
        seed = arguments.seed + number
        net = random_net(graph, seed)
        _, here = emulated(net, seed, compiler)
        for core in CORES:
            _, there = emulated(net, seed, for_core(compiler, core))
            own = there.instructions
            each[core].append((own / graph.total_macs, own * SINGLE_ISSUE.value / here.cycles))
        print(f"{number + 1}: {graph.total_macs} MACs", flush=True)
    for core, found in each.items():
        per_mac, ratio = np.array(found).T
        print(
            f"{core:4} instructions a MAC {per_mac.mean():.2f} ({per_mac.min():.2f} to "
            f"{per_mac.max():.2f}); cycles over a Cortex-M7's {ratio.mean():.2f} "
            f"({ratio.min():.2f} to {ratio.max():.2f})"
        )


if __name__ == "__main__":
    main()
