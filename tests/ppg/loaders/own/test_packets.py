"""Packets of a radio in files: as columns or lists, with samples missing, and sent again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from ppg.loaders.forms import open_table
from ppg.loaders.own.columns import Columns
from ppg.loaders.own.read import read_recordings
from ppg.loaders.own.recipe import Recipe
from ppg.loaders.own.shapes import _are_lists, _listed
from ppg.packets import follow, held, row_times_among
from ppg.plausible import filled_with
from ppg.recording import Recording
from ppgnas.errors import DataError

HZ, SECONDS, ROWS = 50, 60, 20
TIME_S = np.arange(HZ * SECONDS) / HZ
PPG = np.round(51000 + 900 * np.sin(7.5 * TIME_S) + 40 * np.sin(61 * TIME_S)).astype(int)
Cell = Callable[[int], str]


def _read(path: Path, said: list[str] | None = None) -> Recording:
    told = list[str]() if said is None else said
    (found,) = read_recordings(path, Recipe(), open_table=open_table, say=told.append)
    return found


def _check(found: Recording) -> None:
    """The samples of `PPG`, each in its place."""
    assert found.ppg_hz == HZ and found.gaps == ()
    both = min(len(found.ppg), len(PPG))
    assert both >= len(PPG) - ROWS
    assert np.abs(found.ppg[:both, 0] - PPG[:both]).mean() < 8


def _columns(
    cell: Cell, *, names: str = "ppg_{}", rows: int = ROWS, header: list[int] | None = None,
    missing: str | None = None, last: int = 0, between: str = ",",
) -> str:  # fmt: skip
    """A packet a row; in each a sample is missing, or in every fifth the `last` ones are."""
    order = [*range(rows)] if header is None else header
    lines = [between.join(["t", *(names.format(n) for n in order)])]
    for number, begin in enumerate(range(0, len(PPG), rows)):
        cells = [cell(int(value)) for value in PPG[begin : begin + rows]]
        if missing is not None:
            cells[1 + (7 * number) % (rows - 2)] = missing
        if last and number % 5 == 4:
            cells[-last:] = [""] * last
        time = f"{TIME_S[begin]:.3f}".replace(".", "," if between == ";" else ".")
        lines.append(between.join([time, *(cells[n] for n in order)]))
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        _columns(lambda v: f"{v} LSB"),
        _columns(lambda v: f"{v},0", between=";"),
        _columns(lambda v: f"0x{v:X}"),
        _columns(lambda v: f"{v:04X}"),
        _columns(str, missing=""),
        _columns(str, missing="err"),
        _columns(lambda v: f"{v} LSB", missing="n/a"),
        _columns(lambda v: f"0x{v:X}", missing="nan"),
        _columns(str, last=4),
        _columns(str, header=sorted(range(ROWS), key=str)),
        _columns(str, names="ppg[{}]"),
        _columns(str, names="ppg.{} (counts)"),
        _columns(str, rows=4),
    ],
)
def test_packets_as_columns(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    _check(_read(path))


@pytest.mark.parametrize("missing", ["null", "NaN", '"err"'])
def test_samples_missing_in_lists(tmp_path: Path, missing: str) -> None:
    lines = []
    for begin in range(0, len(PPG), ROWS):
        cells = [str(value) for value in PPG[begin : begin + ROWS]]
        cells[1 + begin // ROWS % (ROWS - 2)] = missing
        lines.append(f'{{"t": {TIME_S[begin]:.3f}, "ppg": [{", ".join(cells)}]}}')
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    _check(_read(tmp_path / "a.jsonl"))


@pytest.mark.parametrize("apart_s", [0.0, 0.001])
@pytest.mark.parametrize("missing", ["", "err"])
def test_samples_missing_in_rows_of_a_packet(tmp_path: Path, missing: str, apart_s: float) -> None:
    rows = []
    for row, value in enumerate(PPG.tolist()):
        begin, within = row - row % 10, row % 10
        cell = missing if within == 1 + begin // 10 % 8 else value
        rows.append(f"{TIME_S[begin] + within * apart_s:.3f},{cell}")
    (tmp_path / "a.csv").write_text("\n".join(["t,ppg", *rows]))
    _check(_read(tmp_path / "a.csv"))


def test_rows_of_others_are_no_places_in_packets() -> None:
    stamp_s = np.repeat(np.arange(0, 60, 0.4), 10)
    every_s = np.sort(np.append(stamp_s, np.arange(60) + 0.013))
    found = row_times_among(stamp_s, (every_s, np.isin(every_s, stamp_s)))
    assert found.rate_hz == 25 and len(found.time_s) == len(stamp_s)


@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize("form", ["rows", "lists"])
def test_a_packet_that_was_sent_again(tmp_path: Path, form: str, after: int) -> None:
    packets = []
    for number, begin in enumerate(range(0, len(PPG), 10)):
        packets.append((TIME_S[begin], begin))
        if number % 30 == 9:
            packets.append((TIME_S[begin] + (after - 1) * 0.2 + 0.15, begin))
    packets.sort()
    held = [(f"{at:.3f}", PPG[begin : begin + 10].tolist()) for at, begin in packets]
    lines = [json.dumps({"t": float(at), "ppg": values}) for at, values in held]
    if form == "rows":
        lines = ["t,ppg", *(f"{at},{value}" for at, values in held for value in values)]
    path, said = tmp_path / ("a.csv" if form == "rows" else "a.jsonl"), list[str]()
    path.write_text("\n".join(lines))
    _check(_read(path, said))
    assert any("100 rows of packets sent again are left out" in one for one in said)


@pytest.mark.parametrize("time", ["of the packet", "none"])
def test_a_packet_that_was_written_twice(tmp_path: Path, time: str) -> None:
    """With the same time, and where there are no times at all."""
    rows = [f"{at:.3f},{value}" for at, value in zip(TIME_S // 0.2 * 0.2, PPG, strict=True)]
    whole = [
        row for at in range(0, len(rows), 10) for row in rows[at : at + 10] * (1 + (at % 50 == 20))
    ]
    lines, rate = (["t,ppg", *whole], None)
    if time == "none":
        lines, rate = [row.partition(",")[2] for row in lines], HZ
    (tmp_path / "a.csv").write_text("\n".join(lines))
    recipe = Recipe(rate_hz=rate)
    (found,) = read_recordings(tmp_path / "a.csv", recipe, open_table=open_table)
    _check(found)


@pytest.mark.parametrize("number", [0, -1])
def test_signals_of_two_rates_with_a_number_for_none(tmp_path: Path, number: int) -> None:
    """As a program fills the cells of a table that it made of two."""
    none = f"{number},{number},{number}"
    light = [(at, f"{value},{none}") for at, value in zip(TIME_S, PPG, strict=True)]
    axes = [(at - 0.005, f"{number},0.2,0.1,{0.97 + 0.01 * np.sin(at):.4f}") for at in TIME_S[::2]]
    rows = [f"{at:.3f},{cells}" for at, cells in sorted([*light, *axes])]
    (tmp_path / "a.csv").write_text("\n".join(["t,ppg,ax,ay,az", *rows]))
    found = _read(tmp_path / "a.csv")
    assert found.acc is not None and found.acc_hz == HZ / 2
    assert np.abs(np.linalg.norm(found.acc, axis=1) - 1).max() < 0.02
    _check(replace(found, ppg=found.ppg[:, :1]))
    coarse = np.round(0.7 * np.random.default_rng(0).standard_normal((500, 3))) / 8  # no gravity
    assert filled_with(coarse + min(number, 0)) is None


@pytest.mark.parametrize("hz", [50, 32, 20])
def test_values_held_until_the_next_ones_are_no_samples(tmp_path: Path, hz: int) -> None:
    """As a table of two rates is filled; coarse values repeat, too, and stay."""
    at = np.arange(6000) / 100
    came_s = np.floor(at * hz + 1e-9) / hz
    axes = np.stack([0.2 * np.sin(at), 0.2 * np.cos(at), 0 * at + 1], axis=1)
    rows = (
        f"{t:.2f},{1e5 + 900 * np.sin(7.5 * s) + 40 * np.sin(61 * s):.0f},{x:.4f},{y:.4f},{z:.4f}"
        for t, s, (x, y, z) in zip(at, came_s, axes, strict=True)
    )
    (tmp_path / "a.csv").write_text("\n".join(["t,ppg,ax,ay,az", *rows]))
    said: list[str] = []
    found = _read(tmp_path / "a.csv", said)
    assert (found.ppg_hz, found.acc_hz) == (hz, 100)
    assert any("the PPG is held in" in one for one in said)
    coarse = np.round(2 * np.sin(7.5 * at) + 0.3 * np.random.default_rng(0).standard_normal(6000))
    assert held(at, coarse[:, None]) is None


def test_a_row_an_axis(tmp_path: Path) -> None:
    """Beside a column of other words."""
    rows = ["t,sensor,unit,axis,value"]
    for at, value in zip(TIME_S, PPG, strict=True):
        axes = zip("xyz", (0.2, 0.1, 0.97), strict=True)
        rows += [f"{at:.2f},acc,g,{axis},{one + at / 1e4:.4f}" for axis, one in axes]
        rows.append(f"{at:.2f},ppg,counts,green,{value}")
    (tmp_path / "a.csv").write_text("\n".join(rows))
    found = _read(tmp_path / "a.csv")
    assert found.acc is not None
    np.testing.assert_allclose(found.acc[0], [0.2, 0.1, 0.97], atol=1e-4)
    _check(found)


def test_coarse_numbers_come_again_by_themselves(tmp_path: Path) -> None:
    rows = (f"{row // 10 * 0.2:.1f},{value // 400}" for row, value in enumerate(PPG.tolist()))
    (tmp_path / "a.csv").write_text("\n".join(["t,ppg", *rows]))
    found = _read(tmp_path / "a.csv")
    assert len(found.ppg) == len(PPG)


def test_channels_are_no_packets() -> None:
    rng = np.random.default_rng(0)
    for gains in ([1, 1, 1, 1], [1, 0.5, 2, 3], [1, -1, 1, 2]):
        channels = PPG[::4, None] * np.array(gains) + 20 * rng.standard_normal((len(PPG) // 4, 4))
        assert not follow(channels)
    for size in (4, 10, 15):  # to more than a quarter of a beat
        moments = PPG.reshape(-1, size)
        assert follow(moments + 20 * rng.standard_normal(moments.shape))


def test_semicolons_in_cells_between_commas(tmp_path: Path) -> None:
    rows = zip(TIME_S[::10], PPG.reshape(-1, 10).tolist(), strict=True)
    cells = [f"{at:.3f},{';'.join(map(str, values))}" for at, values in rows]
    (tmp_path / "a.csv").write_text("\n".join(["t,ppg", *cells]))
    _check(_read(tmp_path / "a.csv"))


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("[1, 2, err, 4]", ["1", "2", "nan", "4"]),
        ("1,,3", ["1", "nan", "3"]),
        ("[ 1.  2.\n 3.]", ["1.", "2.", "3."]),
        ("0x1F 0x20 0x21", ["0x1F", "0x20", "0x21"]),
        ("1;2;3", ["1", "2", "3"]),
        ("walk 5 km 3 min", None),
        ("1,251,234", None),
        ("0.5 0.6", None),
        ("1 2 " * 20_000 + "x", ["1", "2"]),  # in a moment, whatever stands there
    ],
)
def test_what_a_list_is(cell: str, found: list[str] | None) -> None:
    assert _are_lists([cell]) == (found is not None)
    assert found is None or _listed(cell)[: len(found)] == found


@pytest.mark.parametrize("first", [0, 1])
def test_beats_as_rows_of_the_signal(tmp_path: Path, first: int) -> None:
    beats = np.round(np.arange(0.5, SECONDS - 0.5, 0.8) * HZ).astype(int) + first
    signals = {"signals": {"ppg": {"fs": HZ, "data": PPG.tolist()}, "r_peaks": beats.tolist()}}
    (tmp_path / "a.json").write_text(json.dumps(signals["signals"]))
    found = _read(tmp_path / "a.json")
    np.testing.assert_allclose(found.hr_bpm[1:-1], 75, atol=0.5)
    strap = tmp_path / "r.csv"
    strap.write_text("\n".join(["r_peak", *map(str, beats)]))
    path = tmp_path / "b.csv"
    stamped = zip((1.7e9 + TIME_S).tolist(), PPG.tolist(), strict=True)
    path.write_text("\n".join(["t,ppg", *(f"{t:.3f},{v}" for t, v in stamped)]))
    recipe = Recipe(Columns(), hr_file=strap)
    (found,) = read_recordings(path, recipe, open_table=open_table)
    np.testing.assert_allclose(found.hr_bpm[1:-1], 75, atol=0.5)


def test_columns_that_are_mostly_empty_and_axes_in_objects(tmp_path: Path) -> None:
    """A rate once a second as null between: in lists, by number, and as pandas splits a table."""
    rate = [72 if row % HZ == 0 else None for row in range(len(PPG))]
    lists = {"t": TIME_S.tolist(), "ppg": PPG.tolist(), "hr": rate}
    numbered = {name: dict(enumerate(cells)) for name, cells in lists.items()}
    split = {
        "columns": [*lists],
        "index": [*range(len(PPG))],
        "data": [*zip(*lists.values(), strict=True)],
    }
    for whole in (lists, numbered, split):
        (tmp_path / "a.json").write_text(json.dumps(whole))
        found = _read(tmp_path / "a.json")
        _check(found)
        assert found.usable.sum() > 20
    axes = [{"x": 0.01 * at, "y": 0.0, "z": 1.0} for at in range(10)]
    rows = range(0, len(PPG), 10)
    packets = [{"t": TIME_S[at], "ppg": PPG[at : at + 10].tolist(), "acc": axes} for at in rows]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, packets)))
    found = _read(tmp_path / "a.jsonl")
    assert found.acc is not None and found.acc_hz == HZ
    at_rest = [{"x": 0.01 * (row % 7), "y": 0.0, "z": 1.0} for row in range(len(PPG))]
    (tmp_path / "b.json").write_text(json.dumps({"acc": at_rest, **lists}))  # objects come first
    found = _read(tmp_path / "b.json")
    _check(found)
    assert found.acc is not None and found.acc_hz == HZ
    split["columns"] = [*lists][:2]
    (tmp_path / "a.json").write_text(json.dumps(split))
    with pytest.raises(DataError, match="2 `columns` and rows of 3 in `data`"):
        _read(tmp_path / "a.json")


def test_arrays_of_a_reference_with_times_of_their_own(tmp_path: Path) -> None:
    whole = {"t": TIME_S, "ppg": PPG, "hr": np.full(60, 72.0), "hr_time": np.arange(60.0)}
    savemat(tmp_path / "a.mat", whole)
    found = _read(tmp_path / "a.mat")
    assert found.ppg_hz == HZ and found.usable.sum() > 20


def test_signals_in_objects_with_rates_of_their_own(tmp_path: Path) -> None:
    signals = {"ppg": {"fs": HZ, "data": PPG.tolist()}, "hr": {"fs": 1, "data": [72, 74] * 30}}
    (tmp_path / "a.json").write_text(json.dumps({"signals": signals}))
    found = _read(tmp_path / "a.json")
    assert found.ppg_hz == HZ and found.usable.sum() > 20
    np.testing.assert_allclose(found.hr_bpm[found.usable], 73, atol=0.3)


@pytest.mark.parametrize(("unit", "between"), [(1000, " "), (1000, ";"), (1024, ", "), (1, " ")])
def test_intervals_of_a_second_in_a_cell(tmp_path: Path, unit: int, between: str) -> None:
    """One or two of them, or none, as a strap tells each second."""
    beats = np.arange(0.3, 2 * SECONDS, 0.63)
    lines = {"r.csv": ["t,hr,rr"], "r.jsonl": []}
    for second in range(1, 2 * SECONDS):
        ended = ((beats > second - 1) & (beats <= second)).sum()
        told = [f"{0.63 * unit:.{3 if unit == 1 else 0}f}"] * int(ended)
        lines["r.csv"].append(f'{second},95,"{between.join(told)}"')
        lines["r.jsonl"].append(f'{{"t": {second}, "hr": 95, "rr": [{", ".join(told)}]}}')
    path = tmp_path / "a.csv"
    path.write_text(
        "\n".join(["t,ppg", *(f"{t:.2f},{v}" for t, v in zip(TIME_S, PPG, strict=True))])
    )
    for name, rows in lines.items():
        (tmp_path / name).write_text("\n".join(rows))
        recipe = Recipe(Columns(), hr_file=tmp_path / name)
        (found,) = read_recordings(path, recipe, open_table=open_table)
        np.testing.assert_allclose(found.hr_bpm[1:-1], 60 / 0.63, atol=0.5)
