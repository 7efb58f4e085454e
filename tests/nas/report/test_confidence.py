"""The report's section on confidence: its data, and what it claims."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from nas.report.loading import Predictions, RunData, load_run
from nas.report.sections.confidence import (
    COVERAGE,
    _confidence_info,
    _order_words,
    confidence_section,
)
from ppg.people.metrics import person_weights
from tests.nas.report.report_run import make_run
from tests.nas.report.small_run import finalist
from tests.nas.run.made import run_document

_START = "with the least sure half of the readings left out, the error of the others "


def test_confidence_info_weighs_people_alike() -> None:
    """Two readings of `a` and one of `b`: the surest reading of all is one of a's."""
    predictions = Predictions(
        np.array(["a", "a", "b"]),
        np.array([60.0, 60.0, 60.0]),
        np.array([61.0, 63.0, 64.0]),
        bpm_smoothed=np.array([60.0, 60.0, 62.0]),
        expected_error_bpm=np.array([1.0, 2.0, 3.0]),
        expected_error_smoothed_bpm=None,
    )
    info = _confidence_info(finalist(predictions=predictions))
    assert list(info) == ["raw"]
    at = dict(zip(COVERAGE.tolist(), info["raw"].risk_bpm, strict=True))
    assert at[0.24] == pytest.approx(1.0)  # a quarter of the weight: a's first
    assert at[0.5] == pytest.approx(2.0)
    assert at[1.0] == pytest.approx((2.0 + 4.0) / 2)
    assert info["raw"].mean_expected_bpm == pytest.approx((1.5 + 3.0) / 2)


def test_confidence_needs_calibrated_predictions(tmp_path: Path) -> None:
    older = load_run(make_run(tmp_path / "older", finalists=1, people=2, calibrated=False))
    assert confidence_section(older) is None
    plain = Predictions(np.array(["a"]), np.array([60.0]), np.array([61.0]))
    assert _confidence_info(finalist(predictions=plain)) == _confidence_info(finalist()) == {}


def test_confidence_of_a_run(tmp_path: Path) -> None:
    run = load_run(make_run(tmp_path / "run", finalists=2, people=6))
    info = _confidence_info(run.finalists[0])
    assert list(info) == ["raw", "smoothed"]
    risk = info["raw"].risk_bpm
    seen = run.finalists[0].predictions
    assert seen is not None
    mae_bpm = person_weights(seen.person) @ np.abs(seen.bpm - seen.reference_bpm)
    assert risk[0] < risk[-1] == pytest.approx(mae_bpm)
    shown = confidence_section(run)
    assert shown is not None and "the error of the others falls: " in shown.body


@pytest.mark.parametrize(
    ("risks", "words"),
    [
        ((4.0, 3.0, 2.0, 1.0), "falls: 1.00 BPM instead of 4.00."),
        ((4.0, 4.5, 2.0, 1.0), "falls in the end, though not at every step: 1.00 BPM"),
        ((4.0, 3.9, 3.9, 3.9), "hardly falls, as the expected errors do not order the readings"),
        ((4.0, 3.0, 3.5, 4.1), "does not fall, as the expected errors do not order the readings"),
        (
            (4.0, 4.0, 4.0, 4.0 - 1e-14),
            "does not fall, as the expected errors do not order the readings",
        ),
    ],
)
def test_words_follow_the_numbers(risks: tuple[float, ...], words: str) -> None:
    said = _order_words(risks)
    assert said.startswith(_START)
    assert words in said


def test_expected_errors_that_say_nothing_are_called_so() -> None:
    """Surest readings of the largest error, and smoothed ones that are all as sure."""
    error = np.linspace(5, 1, 50)
    predictions = Predictions(
        np.repeat(["a", "b"], 25),
        np.full(50, 60.0),
        60 + error,
        bpm_smoothed=60 + error,
        expected_error_bpm=np.linspace(1, 5, 50),
        expected_error_smoothed_bpm=np.full(50, 3.0),
    )
    one = finalist(predictions=predictions)
    shown = confidence_section(RunData(Path("run"), run_document(), finalists=(one,)))
    assert shown is not None
    raw, smoothed = re.findall(r"<p>(.*?)</p>", shown.body)
    assert raw.startswith("Raw: with the least sure half")
    assert "does not fall" in raw
    assert smoothed.endswith("of these people: 3.00 BPM instead of 3.00.")
    assert "the others falls" not in shown.body
