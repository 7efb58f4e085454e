"""Errors by heart rate and by share, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nas.report.loading import Predictions, load_run
from nas.report.sections.conditions import conditions_section, rate_bins, shares_within
from tests.nas.report.report_run import make_run

# Two people; the second has three windows, and weighs the same.
SEEN = Predictions(
    person=np.array(["a", "b", "b", "b"]),
    reference_bpm=np.array([65.0, 70.0, 75.0, 90.0]),
    bpm=np.array([61.0, 71.0, 73.0, 90.0]),
    bpm_smoothed=np.array([65.0, np.nan, 76.0, 93.0]),
)


def test_bins_weigh_people_alike() -> None:
    low, high = rate_bins(SEEN)
    assert (low.low_bpm, low.windows, low.people) == (60, 3, 2)
    assert low.mae_bpm == pytest.approx({"raw": (4 + (1 + 2) / 2) / 2, "smoothed": (0 + 1) / 2})
    assert (high.low_bpm, high.windows, high.people) == (80, 1, 1)
    assert high.mae_bpm == pytest.approx({"raw": 0.0, "smoothed": 3.0})


def test_shares_weigh_people_alike() -> None:
    shares = shares_within(np.array([4.0, 1.0, 2.0, 0.0]), SEEN.person)
    at = dict(zip(np.r_[np.arange(0, 10, 0.25), np.arange(10, 40.5)], shares, strict=True))
    assert at[0.0] == pytest.approx(1 / 6) and at[1.0] == pytest.approx(2 / 6)
    assert at[3.75] == pytest.approx(0.5) and at[4.0] == pytest.approx(1.0) == at[40.0]


def test_without_predictions_there_is_no_section(tmp_path: Path) -> None:
    make_run(tmp_path / "run", people=2, windows=20)
    data = load_run(tmp_path / "run")
    part = conditions_section(data)
    assert part is not None and len(part.figures["rates"]) == len(data.finalists)
    for path in (tmp_path / "run").glob("front/*/predictions.csv"):
        path.unlink()
    assert conditions_section(load_run(tmp_path / "run")) is None
