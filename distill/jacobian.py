"""A score of a network before any training, as a control: a ranking must beat it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from distill.inputs import inputs_of
from search_spaces.arch import Arch
from search_spaces.network import Network

FLOOR = 1e-5


def jacobian_score(arch: Arch, x: Tensor, *, seed: int) -> float:
    """How differently a network of random weights reacts to different windows.

    Minus the sum over the eigenvalues v of `log(v + k) + 1 / (v + k)`, where the eigenvalues are
    those of the correlation between the windows' input Jacobians and k is `FLOOR` (`jacob_cov`,
    Mellor et al. 2021, arXiv 2006.04647, first version). Higher is better.

    Args:
        x: `(batch, channels, time)` at the stored rate.
    """
    torch.manual_seed(seed)
    network = Network(arch).train()
    own = inputs_of(x, arch).clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(network(own).sum(), own)
    correlation = np.corrcoef(gradient.flatten(1).numpy().astype(np.float64))
    values = np.linalg.eigvalsh(np.nan_to_num(correlation))
    return float(-np.sum(np.log(values + FLOOR) + 1 / (values + FLOOR)))
