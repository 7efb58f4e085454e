"""Adapting a network to one wearer: the rule in integers, its memory, and its C.

The trunk stays as it was trained. What enters the head, the pooled features, is computed once a
window and kept as int8; the head learns from them and from the heart rates that came with them.
"""
