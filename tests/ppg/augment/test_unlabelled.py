"""Windows without a reference: what is measured, and never what a label says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ppg.augment.unlabelled import UnlabelledBank
from ppg.recording import Recording
from ppg.synthetic.recordings import synthesize
from ppg.windows import InputSpec, every_window, windows_of
from ppgnas.errors import DataError
from tests.ppg.augment.test_bank import PLAIN
from tests.ppg.test_windows import _tone


def _without_reference(recording: Recording) -> Recording:
    keys = ("window_start_s", "hr_bpm", "valid", "activity")
    none: dict[str, Any] = {key: getattr(recording, key)[:0] for key in keys}
    return replace(recording, **none)


def test_a_reference_changes_nothing() -> None:
    """Neither its rates nor where it is valid."""
    person = synthesize(people=1, minutes=2, seed=3)[0]
    other = replace(person, hr_bpm=person.hr_bpm + 40, valid=np.zeros_like(person.valid))
    drawn = [
        UnlabelledBank([each], acceleration=True)
        .drawn(np.random.default_rng(0), 32, rate_hz=16)
        .windows
        for each in (person, other, _without_reference(person))
    ]
    assert drawn[0].shape == (32, 4, 128) and drawn[0].dtype == np.float32
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[0], drawn[2])


def test_plain_draws_are_windows_of_the_recording() -> None:
    person = _without_reference(synthesize(people=1, minutes=2.02, seed=3)[0])
    windows = windows_of([every_window(person)], InputSpec(32, True))
    bank = UnlabelledBank([person], acceleration=True)
    assert len(bank) == len(windows) == 57  # of 8 s, every 2 s of 121
    x = bank.drawn(np.random.default_rng(2), 20, rate_hz=32, augmentation=PLAIN).windows
    for channels in x:
        distance = np.abs(windows.x - channels)[:, 1:].max(axis=(1, 2))
        assert distance.min() < 1e-4
        own = windows.x[distance.argmin(), 0]  # draws are scaled once more after clipping
        assert np.corrcoef(own, channels[0])[0, 1] > 0.99


def test_nothing_is_read_in_a_gap() -> None:
    """A hole is filled with a constant, which would make a window of nothing else flat."""
    tone = _tone(80, hz=64)
    ppg = tone.ppg.copy()
    ppg[64 * 20 : 64 * 40] = 0
    whole = _without_reference(replace(tone, ppg=ppg))
    mended = replace(whole, gaps=((20.0, 44.0),))  # and the filter's ringing after it
    bank = UnlabelledBank([mended], acceleration=False)
    lost = len(UnlabelledBank([whole], acceleration=False)) - len(bank)
    assert lost == 15  # windows that begin at 14, 16, ..., 42 s
    how = replace(PLAIN, stretch=1.2)
    x = bank.drawn(np.random.default_rng(0), 300, rate_hz=16, augmentation=how).windows
    swing = np.abs(x[:, 0]).reshape(300, 8, 16).max(axis=2)  # in each second
    assert swing.min() > 0.5


def test_people_weigh_the_square_root_of_their_windows() -> None:
    """The tone of a window tells whose it is."""
    short, long = _tone(60, seconds=24, hz=64), _tone(120, subject="b", seconds=134, hz=64)
    bank = UnlabelledBank([short, long], acceleration=False)
    assert len(bank) == 9 + 64
    x = bank.drawn(np.random.default_rng(1), 4000, rate_hz=16, augmentation=PLAIN).windows
    crossings = (np.diff(np.sign(x[:, 0]), axis=1) != 0).sum(axis=1)
    assert (crossings < 24).mean() == pytest.approx(3 / (3 + 8), abs=0.03)


def test_a_folder_of_gaps_has_no_window() -> None:
    person = _without_reference(synthesize(people=1, minutes=2, seed=3)[0])
    with pytest.raises(DataError, match="no usable training window"):
        UnlabelledBank([replace(person, gaps=((0.0, 120.0),))], acceleration=False)
