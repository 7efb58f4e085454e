"""One C function for each distinct shape of step, and what it is called with.

A function knows its shapes as constants; weights, rescaling and zero points are arguments, so that
layers of one shape share their code.
"""
