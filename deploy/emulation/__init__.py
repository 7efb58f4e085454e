"""Builds C for a Cortex-M7 and runs it in emulation: counts, cycles of a pipeline model, sizes.

Nothing here is a measurement on a chip. Instruction counts and memory sizes are exact for the
image that was built; cycles come from a model of the core (`deploy.emulation.pipeline`). The
packages behind it are the optional extra `emulate`: ziglang, unicorn, capstone, pyelftools.
"""
