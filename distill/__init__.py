"""Training: the teacher, the pool of augmented windows it labels, the supernet, first
rungs, and the quantisation-aware retraining of finalists.
"""
