"""Files of the field's own libraries, written by these libraries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from ppg.loaders.devices import parquet
from ppg.loaders.forms import FORMS, open_table
from ppgnas.errors import DataError, DependencyError
from tests.ppg.loaders.devices import made
from tests.ppg.loaders.devices import session as s


def _cut(file: Path, to: int, said: str) -> None:
    """Cut off, it is refused in words."""
    file.write_bytes(file.read_bytes()[:to])
    with pytest.raises(DataError, match=said):
        s.read(file)


@pytest.mark.parametrize("beats", [False, True])
def test_wfdb(beats: bool, tmp_path: Path) -> None:
    header = made.wfdb(tmp_path, beats=beats)
    found = s.read(header)
    s.check(found, 125, 125)
    assert found.started == "2024-05-27T10:53:20.000" and found.name == "walk"
    columns = open_table(header).columns
    assert (columns is not None and columns.rr == "beats") is beats
    whole = header.read_text()
    header.write_text(whole.replace(" 125 ", f" {'9' * 400} ", 1))
    with pytest.raises(DataError, match="unreadable as a WFDB record"):  # infinite in its header
        s.read(header)
    header.write_text(whole)
    header.with_suffix(".dat").unlink()
    with pytest.raises(DataError, match="unreadable as a WFDB record"):
        s.read(header)


def test_edf(tmp_path: Path) -> None:
    file = made.edf(tmp_path)
    found = s.read(file)
    s.check(found, 64, 32)
    assert found.started == "2024-05-27T10:53:20.000"
    _cut(file, 300, "unreadable as EDF")


@pytest.mark.parametrize("stamps", ["datetimes", "numbers"])
def test_parquet(stamps: str, tmp_path: Path) -> None:
    file = made.parquet(tmp_path, stamps=stamps)
    found = s.read(file)
    s.check(found, 50, 50)
    zone = "+00:00" * (stamps == "numbers")  # of times without one nobody knows it
    assert found.started == f"2024-05-27T08:53:20.000{zone}"
    assert found.activity_names == ("rest",)
    _cut(file, 200, "unreadable as Parquet")


def test_a_parquet_file_of_too_many_cells_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are all alike take no room in the file: its own count says how many there are."""
    arrow, package = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = arrow.table({name: np.zeros(300_000, np.int8) for name in ("ppg", "t")})
    package.write_table(table, tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 20_000
    monkeypatch.setattr(parquet, "LARGEST_TABLE", 500_000)
    monkeypatch.setattr(package, "read_table", None)
    with pytest.raises(DataError, match=r"300000 rows of 2 columns; allowed: up to 500000 cells"):
        parquet.read(tmp_path / "a.parquet")


def test_dates_of_parquet_are_no_numbers_in_the_unit_of_their_name(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    moments = (1_716_800_000_000_000_000 + 15_625_000 * np.arange(1280)).astype("datetime64[ns]")
    columns = {"time_ms": moments, "ppg": np.sin(np.arange(1280) / 9)}
    parquet.write_table(arrow.table(columns), tmp_path / "a.parquet")
    assert s.read(tmp_path / "a.parquet").ppg_hz == pytest.approx(64)


def test_hdf5_with_rates_beside_the_signals(tmp_path: Path) -> None:
    file = made.hdf5(tmp_path)
    s.check(s.read(file), 64, 32)
    assert "picture" not in open_table(file).names
    _cut(file, 600, "unreadable as HDF5")


def test_matlab_7_3(tmp_path: Path) -> None:
    s.check(s.read(made.matlab(tmp_path)), 100, 50)


def test_matlab_5(tmp_path: Path) -> None:
    file = made.matlab_5(tmp_path)
    s.check(s.read(file), 100, 50)
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(DataError, match="truncated or damaged"):
        s.read(file)
    for held, said in (({"m": {"x": 1}}, "holds no matrix of numbers"), ({"fs": 5}, r"\(fs\)")):
        savemat(file, held)
        with pytest.raises(DataError, match=said):
            s.read(file)


@pytest.mark.parametrize("intervals", [False, True])
def test_fit(intervals: bool, tmp_path: Path) -> None:
    s.needs("fitdecode")
    file = made.fit(tmp_path, intervals=intervals)
    s.check(s.with_reference(tmp_path, file), 50)
    columns = open_table(file).columns
    assert columns is not None and (columns.rr is not None) is intervals
    made.fit(tmp_path, seconds=1)
    with pytest.raises(DataError, match="1 records with a heart rate; allowed: two"):
        s.with_reference(tmp_path, file)


def test_embrace_plus(tmp_path: Path) -> None:
    file = made.embrace_plus(tmp_path)
    rows = [f"{s.UNIX + t},{rate:.1f}" for t, rate in enumerate(s.hr_at(np.arange(90.0)))]
    (tmp_path / "strap.csv").write_text("\n".join(["time,hr", *rows]))
    found = s.read(file, hr_file=tmp_path / "strap.csv")
    assert found.person == "embrace_plus/P7" and (found.ppg_hz, found.acc_hz) == (64, 64)
    # The acceleration begins 0.4 s late: so does the recording.
    assert found.started == "2024-05-27T08:53:20.400+00:00"
    at = found.window_start_s[found.usable] + 4.4
    assert np.abs(found.hr_bpm[found.usable] - s.hr_at(at)).max() < 0.5
    assert found.acc is not None
    assert np.median(np.linalg.norm(found.acc, axis=1)) == pytest.approx(1, abs=0.02)
    _cut(file, 40, "no raw file of an EmbracePlus")


def test_a_package_that_is_not_installed_is_named_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", refuse)
    for name, content, package in (
        ("a.hea", b"a 1 125 10", "wfdb"),
        ("a.edf", b"0       ", "pyedflib"),
        ("a.parquet", b"PAR1", "pyarrow"),
        ("a.h5", b"\x89HDF", "h5py"),
        ("a.avro", b"Obj\x01", "fastavro"),
        ("a.fit", b"\x0c\x20\0\0\0\0\0\0.FIT", "fitdecode"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DependencyError) as caught:
            open_table(tmp_path / name)
        assert f"needs the package {package}, which is not installed" in str(caught.value)
        assert "pip install" in str(caught.value)


def test_what_a_form_was_tried_on_is_said() -> None:
    assert len({form.title for form in FORMS}) == len(FORMS)
    page = (Path(__file__).parents[4] / "docs" / "forms.md").read_text()
    for form in FORMS:
        (row,) = (line for line in page.splitlines() if line.startswith(f"| {form.title} |"))
        assert row.endswith(f" {form.tried_on} |"), form.title
