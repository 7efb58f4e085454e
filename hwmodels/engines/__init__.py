"""Engines: the kernels that run a network, their coefficients and memory rules."""
