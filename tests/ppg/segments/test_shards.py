from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ppg.frontend import normalise_acc, normalise_ppg, stream
from ppg.segments.cut import HZ, SAMPLES, cut
from ppg.segments.draw import APART_S, PLAIN, Changes, SegmentBank
from ppg.segments.shards import Shards, draw_held_out, open_shards, write_shards
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import DataError


def test_segments_are_those_of_the_recording(shards: Shards) -> None:
    recording = synthesize(people=6, minutes=1.5, seed=3)[2]
    whole = stream(recording, hz=HZ)
    assert whole.acc is not None
    rows = np.flatnonzero(shards.sitting == 2)
    pairs = SegmentBank(shards, rows).pairs(rows)
    for place, row in enumerate(rows):
        part = slice(shards.start[row], shards.start[row] + SAMPLES)
        # Stored in 16 bits: half a thousandth of each value.
        ppg = normalise_ppg(whole.ppg[None, part])
        acc = normalise_acc(whole.acc[None, part]).transpose(0, 2, 1)
        np.testing.assert_allclose(pairs.ppg[place], ppg, atol=5e-3)
        np.testing.assert_allclose(pairs.acc[place], acc[0], atol=5e-3)
    np.testing.assert_array_equal(np.diff(pairs.start_s), 10.0)


def test_a_segment_knows_the_mean_of_its_windows(shards: Shards) -> None:
    row = np.flatnonzero(np.isfinite(shards.hr_bpm))[3]
    recording = synthesize(people=6, minutes=1.5, seed=3)[shards.sitting[row]]
    begin_s, start_s = shards.start[row] / HZ, recording.window_start_s
    inside = (start_s >= begin_s) & (start_s + 8 <= begin_s + 30) & recording.usable
    assert inside.sum() >= 9
    assert shards.hr_bpm[row] == pytest.approx(recording.hr_bpm[inside].mean(), abs=1e-3)


def test_holes_are_left_out_and_signals_are_mapped(shards: Shards) -> None:
    recording = synthesize(people=1, minutes=1.5, seed=1)[0]
    assert cut(replace(recording, gaps=((45.0, 46.0),))).start.tolist() == [0, 320, 1600, 1920]
    assert isinstance(shards.signals(0), np.memmap)
    assert shards.signals(0).dtype == np.float16


def test_without_acceleration_there_is_no_pair(tmp_path: Path) -> None:
    bare = [replace(r, acc=None, acc_hz=None) for r in synthesize(people=2, minutes=1.0)]
    said: list[str] = []
    with pytest.raises(DataError, match="no recording with acceleration"):
        write_shards(bare, tmp_path, say=said.append)
    assert said == ["2 recordings have no acceleration, which an encoder learns from; left out."]


def test_each_cause_is_told_by_itself(tmp_path: Path) -> None:
    """Two without acceleration, one with a hole in every segment, one to keep."""
    kept, holed, *bare = synthesize(people=4, minutes=1.0)
    said: list[str] = []
    write_shards(
        [kept, replace(holed, gaps=((29.0, 30.5),)), *(replace(r, acc=None) for r in bare)],
        tmp_path,
        say=said.append,
    )
    assert said == [
        "2 recordings have no acceleration, which an encoder learns from; left out.",
        "1 recording has no segment of 30 s without a hole, which an encoder learns from; left "
        "out.",
    ]


def test_one_person_under_two_names_is_one(tmp_path: Path) -> None:
    first, other = synthesize(people=2, minutes=1.0)
    again = replace(first, dataset="elsewhere", subject="X", name="x")
    found = write_shards([first, other, again], tmp_path)
    assert len(found.people) == 2
    assert (
        sum(
            person == found.sittings[0].person
            for person in (each.person for each in found.sittings)
        )
        == 2
    )


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    write_shards(synthesize(people=1, minutes=1.0), tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(DataError, match=r"no index of segments .* run the same command again"):
        open_shards(tmp_path)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("sitting", np.array([0, 0, 0, 1]), "segments of no recording"),
        ("sitting", np.array([0, 0, 0, -1]), "segments of no recording"),
        ("start", np.array([0, 1, 2, 10**6]), "segments outside of their recordings"),
        ("start", np.array([0.0, 1, 2, 3]), "holds no rows"),
        ("hr_bpm", np.zeros(3, np.float32), "of different lengths"),
        ("activity", np.array(["rest"] * 4), "are no numbers"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    name: str, values: NDArray[Any], said: str, tmp_path: Path
) -> None:
    assert len(write_shards(synthesize(people=1, minutes=1.0), tmp_path)) == 4
    with np.load(tmp_path / "segments.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    np.savez(tmp_path / "segments.npz", **{**arrays, name: values})
    with pytest.raises(DataError, match=rf"no index of segments .*{said}"):
        open_shards(tmp_path)


@pytest.mark.parametrize("damage", ["shape", "dtype", "cut", "archive"])
def test_a_damaged_shard_is_refused(damage: str, tmp_path: Path) -> None:
    write_shards(synthesize(people=1, minutes=1.0), tmp_path)
    path = tmp_path / "00000.npy"
    signals = np.load(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:2000])
    elif damage == "archive":
        path.write_bytes(b"PK\x03\x04" + bytes(40))
    else:
        np.save(path, signals[:-1] if damage == "shape" else signals.astype(np.float64))
    with pytest.raises(DataError, match="the shard cannot be read"):
        open_shards(tmp_path).signals(0)


def test_whole_people_are_held_out(shards: Shards) -> None:
    held_out = draw_held_out(shards, seed=0, fewest_h=0.01)
    assert held_out == draw_held_out(shards, seed=0, fewest_h=0.01)
    assert len(held_out) == 1
    train = [person for person in shards.people if person not in held_out]
    assert not set(shards.rows_of(train)) & set(shards.rows_of(held_out))
    with pytest.raises(DataError, match=r"last 0\.025 h; at least 1\.5 h of whole people must be"):
        draw_held_out(shards, seed=0)


def test_draws_repeat_and_views_are_adjacent(shards: Shards) -> None:
    bank = SegmentBank(shards, np.arange(len(shards)))
    first, second = (bank.draw(np.random.default_rng(5), 8, Changes()) for _ in range(2))
    np.testing.assert_array_equal(first.acc, second.acc)
    one, two = bank.draw_views(np.random.default_rng(1), 64, Changes())
    np.testing.assert_array_equal(one.sitting, two.sitting)
    apart = np.abs(one.start_s - two.start_s)
    assert apart.max() <= APART_S
    assert (apart > 0).any()


def test_people_are_drawn_together_and_each_segment_is_its_own(shards: Shards) -> None:
    rows = np.arange(len(shards))
    bank = SegmentBank(shards, rows)
    pairs = bank.draw(np.random.default_rng(3), 12, PLAIN, together=4)
    person = {number: each.person for number, each in enumerate(shards.sittings)}
    of = [person[int(number)] for number in pairs.sitting]
    assert all(len(set(of[first : first + 4])) == 1 for first in (0, 4, 8)) and len(set(of)) > 1
    for place in range(12):
        same = (shards.sitting == pairs.sitting[place]) & (
            shards.start == round(HZ * pairs.start_s[place])
        )
        alone = bank.pairs(rows[same])
        np.testing.assert_array_equal(pairs.acc[place], alone.acc[0])
        np.testing.assert_array_equal(pairs.ppg[place], alone.ppg[0])


def test_turning_keeps_the_strength_of_movement(shards: Shards) -> None:
    rows = np.arange(4)
    bank = SegmentBank(shards, rows)
    only = Changes(0, 0, 0, 0, rotate=1.0, mix_channels=False)
    plain, turned = bank.pairs(rows), bank.pairs(rows, only, np.random.default_rng(0))
    assert np.abs(turned.acc - plain.acc).max() > 0.1
    strength = [(acc**2).sum(axis=1) for acc in (plain.acc, turned.acc)]
    np.testing.assert_allclose(strength[0], strength[1], rtol=1e-3, atol=1e-3)
