"""Plain networks to compare students with, at as many parameters and the same training.

They are no architectures of a search space and stay in float: no file for a device is made of
them.
"""
