"""Expected errors of a trained network hold on real people who never calibrated it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from distill.evaluation import predict_windows
from nas.models.names import find_model
from nas.models.readout import RULES, calibrate
from nas.models.train import train_model
from nas.run.config import TrainConfig
from nas.run.job.progress import Silent
from ppg.npz.folder import read_folder
from ppg.people.metrics import mean_over_people
from ppg.people.split import mapped, people_of
from ppg.readout.confidence import HOLDS
from ppg.readout.transitions import fit_transitions
from ppg.recording import Recording
from ppg.windows import windows_of
from search_spaces.published import published

DATA = os.environ.get("PPGNAS_TEST_DATA")
DRAWS = 10  # of each half


@pytest.mark.slow
@pytest.mark.skipif(DATA is None, reason="set PPGNAS_TEST_DATA to a folder of .npz recordings")
def test_expected_errors_hold_on_unseen_people(tmp_path: Path) -> None:
    """Each half of the people trains; seven of the others calibrate, a dozen are read."""
    assert DATA is not None
    recordings = [r for r in read_folder(Path(DATA)) if r.acc is not None]
    people = mapped(people_of(recordings))
    ratios = [
        row for half in (0, 1) for row in ratios_of(recordings, people, half, tmp_path / str(half))
    ]
    print("expected over true error, raw and smoothed:", np.round(ratios, 2).tolist())
    low, high = HOLDS
    held = (np.array(ratios) >= low) & (np.array(ratios) <= high)  # (draws, raw and smoothed)
    assert (held.mean(axis=0) >= 0.6).all()
    assert (low <= np.median(ratios, axis=0)).all() and (np.median(ratios, axis=0) <= high).all()


def ratios_of(
    recordings: Sequence[Recording], people: Sequence[str], half: int, folder: Path
) -> list[list[float]]:
    """Mean expected over mean true error of people who never calibrated, raw and smoothed."""
    assert DATA is not None
    train, others = people[half::2], people[1 - half :: 2]
    folder.mkdir()
    split = folder / "split.json"
    split.write_text(json.dumps({"train": train, "search": others[:7], "report": others[7:]}))
    train_model(
        published("tiny"),
        TrainConfig(data=DATA, split=str(split), effort="quick", teacher="none"),
        folder / "model",
        command="",
        progress=Silent(),
    )
    model = find_model(str(folder / "model"))
    transitions = fit_transitions([r for r in recordings if r.person in train])
    rng = np.random.default_rng(half)
    ratios = []
    for _ in range(DRAWS):
        drawn = rng.permutation(others)
        ranked, read = (
            predict_windows(
                model.net(),
                windows_of([r for r in recordings if r.person in who], model.inputs),
                transitions=transitions,
                rule=RULES[model.runs],
            )
            for who in (drawn[:7], drawn[7:19])
        )
        decoding = calibrate(ranked, transitions=transitions)
        expected = (
            decoding.expected_error_bpm(read),
            decoding.expected_error_smoothed_bpm(read),
        )
        ratios.append(
            [
                mean_over_people(of, read.windows.person)
                / mean_over_people(np.abs(seen.bpm - read.windows.hr_bpm), read.windows.person)
                for of, seen in zip(expected, (read.raw, read.smoothed), strict=True)
                if of is not None
            ]
        )
    return ratios
