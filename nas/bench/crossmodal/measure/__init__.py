"""Figures of embeddings, in numpy alone: probes, retrieval, and features made by hand."""
