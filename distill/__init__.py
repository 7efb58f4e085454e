"""Training: the teacher, the pool of augmented windows it labels, the supernet, first rungs, and
the finalists that go on from theirs to integers.
"""
