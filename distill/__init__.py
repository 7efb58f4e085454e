"""Training: the teacher, the pool of augmented windows it labels, first rungs, and the
finalists that go on from theirs to integers.
"""
