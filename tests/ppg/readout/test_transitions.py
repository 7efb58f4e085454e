"""Transitions of the smoother: the matrix, and the fit to reference heart rates."""

from __future__ import annotations

import numpy as np
import pytest

from ppg.readout.transitions import Transitions, changes_of, fit_transitions
from ppg.recording import Recording
from ppgnas.errors import DataError


def recording(
    hr_bpm: np.ndarray, *, subject: str = "a", starts: np.ndarray | None = None
) -> Recording:
    count = len(hr_bpm)
    at = np.arange(0, 2.0 * count, 2.0) if starts is None else starts
    samples = np.zeros((int(at[-1] + 9) * 10, 1), np.float32)
    return Recording(
        subject=subject,
        dataset="d",
        name=f"r{subject}",
        ppg=samples,
        ppg_hz=10.0,
        acc=None,
        acc_hz=None,
        window_start_s=at,
        hr_bpm=hr_bpm,
        valid=np.ones(count, bool),
        activity=np.full(count, -1),
    )


def walk(changes: np.ndarray, subject: str = "a") -> Recording:
    return recording(100 + np.r_[0.0, np.cumsum(changes)], subject=subject)


def test_columns_sum_to_one_and_have_their_width() -> None:
    matrix = Transitions(3.0, leave=0.0).matrix()
    np.testing.assert_allclose(matrix.sum(axis=0), 1, rtol=1e-9)
    away = np.arange(180) - 90
    assert np.sqrt(matrix[:, 90] @ away**2) == pytest.approx(3.0, rel=1e-6)
    leaving = Transitions(3.0, leave=0.1).matrix()
    np.testing.assert_allclose(leaving, 0.9 * matrix + 0.1 / 180, atol=1e-12)


def test_the_width_follows_what_hearts_do() -> None:
    changes = np.random.default_rng(0).normal(0, 2, 20_000)
    assert fit_transitions([walk(changes)]).width_bpm == pytest.approx(1.3 * 2, rel=0.02)


def test_every_person_weighs_the_same() -> None:
    rng = np.random.default_rng(1)
    calm = walk(rng.normal(0, 1, 10_000), "calm")
    restless = walk(rng.normal(0, 8, 200), "restless")
    found = fit_transitions([calm, restless])
    assert found.width_bpm == pytest.approx(1.3 * np.sqrt((1 + 64) / 2), rel=0.05)


def test_gaps_and_slips_are_no_changes() -> None:
    starts = np.r_[0.0, 2, 4, 14, 16]
    changes, weights = changes_of([recording(np.r_[60.0, 61, 63, 90, 92], starts=starts)])
    assert changes.tolist() == [1, 2, 2]
    assert weights.sum() == pytest.approx(1)


def test_too_little_to_learn_from_gives_the_default() -> None:
    assert fit_transitions([]) == Transitions()
    assert fit_transitions([walk(np.ones(5))]) == Transitions()


def test_constant_rates_stop_at_half_a_class() -> None:
    assert fit_transitions([walk(np.zeros(500))]).width_bpm == 0.5


def test_refusals() -> None:
    known = Transitions(4.0, floor=1e-3)
    assert Transitions(**known.to_json()) == known
    with pytest.raises(DataError, match=r"width_bpm is 0.1; allowed: 0.5 to 60.0 BPM"):
        Transitions(0.1)
    with pytest.raises(DataError, match="leave is 2"):
        Transitions(leave=2)
