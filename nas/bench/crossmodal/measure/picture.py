"""Embeddings in two dimensions, to be looked at."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def flat(x: Floats, *, seed: int) -> tuple[Floats, str]:
    """`(rows, 2)` by t-SNE where scikit-learn is installed, else by principal components.

    Args:
        x: `(rows, dimensions)`.

    Returns:
        The places, and which of the two it is.
    """
    centred = x - x.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    plane = centred @ axes[:2].T
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        return plane, "principal components (scikit-learn is not installed)"
    start = plane / max(float(plane.std()), 1e-9) * 1e-4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that it cannot count
        made = TSNE(
            n_components=2,
            perplexity=min(30, (len(x) - 1) / 3),
            init=start.astype(np.float32),
            random_state=seed,
            n_jobs=1,
        ).fit_transform(x.astype(np.float32))
    return np.asarray(made, dtype=np.float64), "t-SNE"
