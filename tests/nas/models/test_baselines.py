"""Rows to compare with, on the report people."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.models.baselines import BASELINES, CONSTANT, BaselineRow, baseline_rows
from nas.run.documents import read_rows, write_rows
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import RunError

PEOPLE = synthesize(people=3, minutes=1.0, seed=5)


def test_every_baseline_has_a_row_and_the_constant_is_of_training_people() -> None:
    train, report = PEOPLE[:1], PEOPLE[1:]
    rows = {row.name: row for row in baseline_rows(train, report)}
    assert list(rows) == ["peaks", "spectral-peak", "spectral-motion", "wiener", CONSTANT]
    middle = float(np.median(train[0].hr_bpm[train[0].usable]))
    assert rows[CONSTANT].title == f"always {middle:.0f} BPM"
    for row in rows.values():
        assert (
            row.mae_bpm_low <= row.mae_bpm <= row.mae_bpm_high <= row.worst_person_mae_bpm + 1e-9
        )
        assert 0 <= row.within_5_bpm <= 1


def test_without_acceleration_what_needs_it_is_left_out() -> None:
    still = [replace(PEOPLE[0], acc=None, acc_hz=None), PEOPLE[1]]
    rows = baseline_rows(PEOPLE[2:], still)
    assert [row.name for row in rows] == ["peaks", "spectral-peak", CONSTANT]


def test_they_are_written_and_read(tmp_path: Path) -> None:
    assert read_rows(tmp_path, BASELINES, BaselineRow) == ()
    rows = baseline_rows(PEOPLE[:1], PEOPLE[1:2])
    write_rows(tmp_path, BASELINES, rows)
    assert read_rows(tmp_path, BASELINES, BaselineRow) == tuple(rows)
    path = tmp_path / "baselines.json"
    document = json.loads(path.read_text())
    document["baselines"][0]["mae_bpm"] = "low"
    path.write_text(json.dumps(document))
    with pytest.raises(RunError, match="is damaged"):
        read_rows(tmp_path, BASELINES, BaselineRow)
