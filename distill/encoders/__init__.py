"""Encoders of long segments, pre-trained without labels: of PPG, and of acceleration by a PPG
encoder. What they give is an embedding, from which a linear probe reads what it wants.
"""
