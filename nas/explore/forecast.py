"""What a whole training would give, from figures of the architecture and first rungs.

Two levels, as in multi-fidelity kriging (Kennedy and O'Hagan 2000). The first is a Gaussian
process over the log error after the first rung: ridge regression on the figures (`ArchFigures`),
or on the size alone, and where that pays a smooth remainder; leave-one-out chooses. A network that
was begun itself pulls the process to what it said, as far as the noise allows. The second level is
a line from there, and from the size, to the log error of a whole training. It starts from what the
trained networks said (docs/ranking.md) and is corrected by every finalist.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.arch import Arch
from search_spaces.figures import figures_matrix

Floats = NDArray[np.float64]

_LINEAR = ("size", "all")
_SMOOTH = (0.0, 0.3, 1.0)
_LENGTH = (0.7, 1.5)
_NOISE = (0.1, 0.3, 1.0, 3.0)

# Of the line: log whole - mean = line . (1, log first - mean, size), where the mean is that of the
# networks begun and the size is in standard deviations over the space. Least squares over 38
# networks of docs/ranking.md; the deviations leave room for other people and efforts.
PRIOR_LINE = (-0.48, 0.72, -0.05)
PRIOR_SD = (0.25, 0.25, 0.03)
RESIDUAL = 0.12

LEAST_SD = 0.1
"""Of a figure: where few networks fit, one that hardly varies must not stretch the others."""


@dataclass(frozen=True)
class Forecast:
    """Error after a whole training, per network.

    Attributes:
        mean, sd: of its natural logarithm.
        own_sd: the part of the deviation that the networks do not share.
    """

    mean: Floats
    sd: Floats
    own_sd: Floats

    @property
    def bpm(self) -> Floats:
        """The error that is as likely to be missed as to be reached."""
        return np.asarray(np.exp(self.mean))

    def quantile(self, sds: float) -> Floats:
        """The error so many deviations above the middle, in BPM."""
        return np.asarray(np.exp(self.mean + sds * self.sd))


@dataclass(frozen=True)
class _Process:
    """A Gaussian process with fixed parameters, conditioned on what was seen.

    Attributes:
        x: `(seen, figures)`, in standard deviations.
        shape: which figures are linear, weight of the smooth part, its length, share of noise.
        scale: variance that multiplies all.
        inverse: of the covariance of what was seen, without `scale`.
        pull: `inverse @ (y - mean)`.
        surprise: mean negative log density of each when it is left out.
    """

    x: Floats
    shape: tuple[str, float, float, float]
    scale: float
    mean: float
    inverse: Floats
    pull: Floats
    surprise: float

    def at(self, x: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of the noise-free value at `(networks, figures)`."""
        cross = _covariance(x, self.x, self.shape)
        own = _variance(x, self.shape)
        spread = own - np.einsum("ij,jk,ik->i", cross, self.inverse, cross)
        return self.mean + cross @ self.pull, self.scale * np.maximum(spread, 1e-9)


def _covariance(a: Floats, b: Floats, shape: tuple[str, float, float, float]) -> Floats:
    linear, smooth, length, _ = shape
    columns = slice(0, 1) if linear == "size" else slice(None)
    found = 1.0 + a[:, :1] @ b[:, :1].T + a[:, columns] @ b[:, columns].T / a[:, columns].shape[1]
    if smooth:
        square = ((a[:, None, :] - b[None, :, :]) ** 2).mean(axis=2)
        found = found + smooth * np.exp(-0.5 * square / length**2)
    return np.asarray(found)


def _variance(a: Floats, shape: tuple[str, float, float, float]) -> Floats:
    columns = slice(0, 1) if shape[0] == "size" else slice(None)
    return np.asarray(1.0 + a[:, 0] ** 2 + (a[:, columns] ** 2).mean(axis=1) + shape[1])


def _process(x: Floats, y: Floats, shape: tuple[str, float, float, float]) -> _Process:
    covariance = _covariance(x, x, shape) + shape[3] * np.eye(len(x))
    inverse = np.asarray(np.linalg.inv(covariance), np.float64)
    mean = float(y.mean())
    pull = np.asarray(inverse @ (y - mean))
    precision = np.diag(inverse)
    scale = max(float((pull**2 / precision).mean()), 1e-6)  # of the errors when left out
    surprise = 0.5 * float(np.mean(pull**2 / precision / scale + np.log(scale / precision)))
    return _Process(x, shape, scale, mean, inverse, pull, surprise)


class Forecaster:
    """Foretells networks from those that were begun, and from those that were trained whole.

    Args:
        begun: networks with their error after the first rung in BPM, `Begun.first_score_bpm`.
        whole: some of them with their int8 error after the whole training in BPM.
        scale: networks drawn from the space; figures are measured in their deviations.
    """

    def __init__(
        self, begun: Mapping[Arch, float], whole: Mapping[Arch, float], scale: Sequence[Arch]
    ) -> None:
        self._given = begun, whole, scale
        drawn = figures_matrix(scale)
        self._centre, self._spread = drawn.mean(axis=0), np.maximum(drawn.std(axis=0), LEAST_SD)
        known, trained = sorted(begun), sorted(whole)  # the order must not touch the last digits
        x, y = self._figures(known), np.log([begun[arch] for arch in known])
        shapes = itertools.product(_LINEAR, _SMOOTH, _LENGTH, _NOISE)
        processes = (_process(x, y, shape) for shape in shapes)
        self._process = min(processes, key=lambda process: process.surprise)
        precision = np.diag(1 / np.square(PRIOR_SD))
        pulled = precision @ np.array(PRIOR_LINE)
        if whole:
            rows, _ = self._rows(trained)
            gone = np.log([whole[arch] for arch in trained]) - self._process.mean
            precision = precision + rows.T @ rows / RESIDUAL**2
            pulled = pulled + rows.T @ gone / RESIDUAL**2
        self._covariance = np.linalg.inv(precision)
        self._line = self._covariance @ pulled

    def _figures(self, archs: Sequence[Arch]) -> Floats:
        return np.asarray((figures_matrix(archs) - self._centre) / self._spread)

    def _rows(self, archs: Sequence[Arch]) -> tuple[Floats, Floats]:
        """What the line reads, and the variance of the log error after the first rung."""
        x = self._figures(archs)
        first, variance = self._process.at(x)
        rows = np.column_stack([np.ones(len(x)), first - self._process.mean, x[:, 0]])
        return rows, variance

    def believing(self, arch: Arch) -> Forecaster:
        """As if a network had been begun and had said what is expected (kriging believer)."""
        begun, whole, scale = self._given
        said, _ = self._process.at(self._figures([arch]))
        return Forecaster({**begun, arch: float(np.exp(said[0]))}, whole, scale)

    def forecast(self, archs: Sequence[Arch]) -> Forecast:
        """The errors of networks, begun or not."""
        rows, variance = self._rows(archs)
        shared = np.einsum("ij,jk,ik->i", rows, self._covariance, rows)
        own = self._line[1] ** 2 * variance + RESIDUAL**2
        mean = self._process.mean + rows @ self._line
        return Forecast(mean, np.sqrt(shared + own), np.sqrt(own))
