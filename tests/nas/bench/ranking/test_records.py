"""One JSON file a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.bench.ranking.networks import NetworkRecord, file_of
from nas.run.documents import read_kept, write_kept
from ppgnas.errors import RunError
from tests.nas.bench.ranking.made import made_archs, made_record

(ARCH,) = made_archs(1)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    record = made_record(ARCH, 3)
    path = file_of(tmp_path, ARCH)
    write_kept(path, record)
    assert read_kept(path, NetworkRecord, arch=ARCH) == record
    assert record.complete
    assert not replace(record, full={0: record.full[0]}).complete


def test_none_where_there_is_none(tmp_path: Path) -> None:
    assert read_kept(file_of(tmp_path, ARCH), NetworkRecord, arch=ARCH) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:100], "is damaged"),
        (lambda text: text.replace('"macs"', '"mac"'), "macs"),
        (lambda text: text.replace('"macs": ', '"macs": "x'), "is damaged"),
        (lambda text: text.replace('"a/3": 2.9', ""), "errors of no search person, or of no rep"),
        (lambda text: text.replace('"rate_hz": 32', '"rate_hz": 16'), "it is of .*; remove it"),
        (lambda text: "[]", "no JSON object but list"),
    ],
)
def test_a_damaged_file_is_one_message(
    tmp_path: Path, change: Callable[[str], str], message: str
) -> None:
    path = file_of(tmp_path, ARCH)
    write_kept(path, made_record(ARCH))
    path.write_text(change(path.read_text()))
    with pytest.raises(RunError, match=message) as caught:
        read_kept(path, NetworkRecord, arch=ARCH)
    assert str(path) in str(caught.value)


def test_a_number_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    path = file_of(tmp_path, ARCH)
    write_kept(path, made_record(ARCH))
    document = json.loads(path.read_text())
    document["jacobian"] = float("nan")
    path.write_text(json.dumps(document))
    with pytest.raises(RunError, match="is damaged"):
        read_kept(path, NetworkRecord, arch=ARCH)
