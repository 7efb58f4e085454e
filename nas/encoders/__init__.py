"""Encoders of segments: from folders of recordings to files, and from those to embeddings."""
