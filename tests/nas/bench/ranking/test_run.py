"""The bench from recordings to figures: it goes on after a kill, and never mixes two."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

import nas.bench.ranking.measure as measuring
from nas.bench.ranking.run import Ranking, bench_ranking
from nas.run.folder import RunDir
from nas.run.job.progress import Silent
from nas.run.resolve import resolve
from ppgnas.errors import PpgnasError, RunError
from tests.nas.bench.ranking.made import BenchTrainer, Log
from tests.nas.cli.leaving import leave
from tests.nas.fakes import write_people


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    kept = Log()
    monkeypatch.setattr(measuring, "Trainer", partial(BenchTrainer, log=kept))
    monkeypatch.setattr("nas.bench.ranking.networks.DRAWN", 100)
    return kept


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_people(tmp_path_factory.mktemp("ranking")))


def ask(people: str, out: Path, **changes: object) -> Ranking:
    asked = {"data": people, "space": "tiny", "effort": "smoke", "budget": "80KB", **changes}
    return bench_ranking(
        resolve(asked),
        RunDir(out),
        networks=16,
        command="ppgnas bench ranking",
        progress=Silent(),
    )


def test_a_killed_bench_goes_on(log: Log, people: str, tmp_path: Path) -> None:
    log.dies_at = 5
    with pytest.raises(KeyboardInterrupt):
        ask(people, tmp_path / "out")
    assert len(log.trained) == 5
    log.dies_at = None
    found = ask(people, tmp_path / "out")
    # Each network with each seed, and none twice.
    wanted = {(record.arch.id, seed) for record in found.records for seed in (0, 1)}
    assert set(log.trained) == wanted and len(log.trained) == len(wanted)
    assert all(record.complete for record in found.records)
    assert set(found.document.time_s) >= {"teacher", "networks alone, seed 1"}
    assert found.document.finished is not None
    for full in found.records[0].full.values():
        assert set(full.search) == set(found.document.split.search)
        assert set(full.report) == set(found.document.split.report)

    again = ask(people, tmp_path / "out")
    assert len(log.trained) == len(wanted)  # all is there
    assert (again.records, again.pairs) == (found.records, found.pairs)
    assert again.document == found.document


def test_networks_measured_otherwise_are_not_mixed(log: Log, people: str, tmp_path: Path) -> None:
    ask(people, tmp_path / "out")
    with pytest.raises(
        RunError, match=r"measured otherwise.*`effort`: 'smoke' in the run, 'quick'"
    ):
        ask(people, tmp_path / "out", effort="quick")
    (tmp_path / "out" / "study.journal").touch()
    with pytest.raises(RunError, match="holds a search, which stays as it is"):
        ask(people, tmp_path / "out")


def test_other_recordings_are_refused(
    log: Log, people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "people"
    shutil.copytree(people, own)
    ask(str(own), tmp_path / "out")
    min(own.rglob("*.npz")).unlink()
    assert leave(*options(str(own), tmp_path / "out")) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("ppgnas: the recordings changed since")
    assert "choose another --out" in message


def test_a_damaged_record_is_named(log: Log, people: str, tmp_path: Path) -> None:
    found = ask(people, tmp_path / "out")
    path = tmp_path / "out" / f"{found.records[3].arch.id}.json"
    path.write_text("{")
    with pytest.raises(PpgnasError, match=f"{path.name} is damaged"):
        ask(people, tmp_path / "out")


def options(people: str, out: Path) -> list[str]:
    given = ["--data", people, "--space", "tiny", "--networks", "16", "--effort", "smoke"]
    return ["bench", "ranking", *given, "--out", str(out)]


def test_the_verb_with_records_ready(
    log: Log, people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = ask(people, tmp_path / "out")
    count, page = len(ready.records), tmp_path / "ranking.md"
    log.dies_at = len(log.trained)  # nothing more is trained
    assert leave(*options(people, tmp_path / "out"), "--page", str(page)) == 0
    printed = capsys.readouterr().out
    assert f"{count} networks trained alone (SYNTHETIC recordings)" in printed
    for row in ("MACs", "ceiling: another seed", "ceiling: the other people"):
        assert f"\n{row} " in printed
    assert page.read_text().startswith("# How well cheap figures order networks\n")

    assert leave(*options(people, tmp_path / "out"), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [network["macs"] for network in document["networks"]] == [
        record.macs for record in ready.records
    ]
    assert len(document["pairs"]) == len(ready.pairs)
    tau = document["scores"]["MACs"]["search"]["overall"]["tau"]
    assert tau["low"] <= tau["value"] <= tau["high"]
    assert set(document["ceiling"]) == {"another seed", "the other people"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--networks", "3"], "--networks is 3; allowed: 16 or more"),
        (["--effort", "z"], "--effort is 'z'; allowed: smoke"),
        (["--budget", "few"], "--budget"),
        (["--page", "."], "--page . is a folder"),
        (["--split", "a", "--report-from", "b"], "--report-from"),
    ],
)
def test_a_mistake_is_one_message(
    given: list[str], message: str, people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leave(*options(people, tmp_path / "out"), *given) == 2
    printed = capsys.readouterr().err
    assert message in printed and "Traceback" not in printed
    assert not (tmp_path / "out").exists()
