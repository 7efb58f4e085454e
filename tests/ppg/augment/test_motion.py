"""Artefacts follow the acceleration, and axes turn without being stretched."""

from __future__ import annotations

import numpy as np

from ppg.augment.sensor import artefacts, rotations


def test_artefacts_are_driven_by_the_acceleration() -> None:
    rng = np.random.default_rng(4)
    time = np.arange(256) / 32
    acc = 0.5 * np.sin(2 * np.pi * 1.5 * time)[None, :, None] * np.ones((20, 1, 3))
    traces = artefacts(rng, acc.astype(np.float32))
    np.testing.assert_allclose(traces.std(axis=1), 1, rtol=1e-3)
    power = np.abs(np.fft.rfft(traces[:, 32:], axis=1)) ** 2
    hz = np.fft.rfftfreq(224, 1 / 32)
    near = np.zeros(len(hz), bool)
    for harmonic in (1.5, 3.0):
        near |= np.abs(hz - harmonic) < 0.3
    assert (power[:, near].sum(axis=1) / power[:, 1:].sum(axis=1) > 0.9).mean() > 0.8


def test_rotations_are_rotations() -> None:
    turned = rotations(np.random.default_rng(5), 50)
    identity = np.einsum("nij,nkj->nik", turned, turned)
    np.testing.assert_allclose(identity, np.tile(np.eye(3), (50, 1, 1)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(turned), 1, atol=1e-5)
