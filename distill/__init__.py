"""Training: the teacher, the pool of augmented windows it labels, the supernet, the accuracy that
subnetworks inherit, and the quantisation-aware retraining of finalists.
"""
