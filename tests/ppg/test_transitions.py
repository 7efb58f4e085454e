"""Transitions of the smoother: the matrix, and the fit to reference heart rates."""

from __future__ import annotations

import numpy as np
import pytest

from ppg.recording import Recording
from ppg.transitions import Transitions, changes_of, fit_transitions
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


def test_columns_sum_to_one_and_widen() -> None:
    narrow, wide = Transitions(narrow_bpm=1.0), Transitions(narrow_bpm=1.0, widening=3.0)
    np.testing.assert_allclose(narrow.matrix().sum(axis=0), 1, rtol=1e-9)
    np.testing.assert_array_equal(wide.matrix(), Transitions(narrow_bpm=3.0).matrix())
    mixed = Transitions(1.0, 5.0, 0.25).matrix()
    parts = [Transitions(width).matrix() for width in (1.0, 5.0)]
    np.testing.assert_allclose(mixed, 0.75 * parts[0] + 0.25 * parts[1], atol=1e-12)


def test_a_mixture_is_found_again() -> None:
    rng = np.random.default_rng(0)
    wide = rng.random(20_000) < 0.2
    changes = np.where(wide, rng.normal(0, 6, wide.size), rng.normal(0, 1, wide.size))
    found = fit_transitions([walk(changes)])
    assert found.narrow_bpm == pytest.approx(1.0, rel=0.05)
    assert found.wide_bpm == pytest.approx(6.0, rel=0.05)
    assert found.wide_share == pytest.approx(0.2, abs=0.02)


def test_every_person_weighs_the_same() -> None:
    rng = np.random.default_rng(1)
    calm = walk(rng.normal(0, 1, 10_000), "calm")
    restless = walk(rng.normal(0, 8, 200), "restless")
    found = fit_transitions([calm, restless])
    assert found.wide_share == pytest.approx(0.5, abs=0.05)


def test_gaps_and_slips_are_no_changes() -> None:
    starts = np.r_[0.0, 2, 4, 14, 16]
    changes, weights = changes_of([recording(np.r_[60.0, 61, 63, 90, 92], starts=starts)])
    assert changes.tolist() == [1, 2, 2]
    assert weights.sum() == pytest.approx(1)


def test_too_little_to_learn_from_gives_the_default() -> None:
    assert fit_transitions([]) == Transitions()
    assert fit_transitions([walk(np.ones(5))]) == Transitions()


def test_constant_rates_stop_at_half_a_class() -> None:
    assert fit_transitions([walk(np.zeros(500))]).narrow_bpm == 0.5


def test_json_both_ways_and_refusals() -> None:
    known = Transitions(1.0, 4.0, 0.3, widening=2.0)
    assert Transitions.from_json(known.to_json()) == known
    with pytest.raises(DataError, match=r"narrow_bpm is 0.1; allowed: 0.5 to 60.0 BPM"):
        Transitions(narrow_bpm=0.1)
    with pytest.raises(DataError, match="wide_share is 2"):
        Transitions(wide_share=2)
    with pytest.raises(DataError, match="widening is 99"):
        Transitions(widening=99)
    with pytest.raises(DataError, match="allowed: narrow_bpm"):
        Transitions.from_json({"width": 3.0})
