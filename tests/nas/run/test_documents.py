"""run.toml, to the byte; files that are no documents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nas.run.documents import read_document
from nas.run.folder import RunDir
from ppgnas.errors import RunError
from tests.nas.fakes import TAUGHT_BY
from tests.nas.run.made import run_document

RUN_TOML = """\
[run]
format = "ppgnas-run"
version = "0.1.0"
command = "ppgnas search --budget 80KB"
created = "2026-11-21T02:00:00+00:00"
seed = 0
finished = "2026-11-28T09:08:40+00:00"

[search]
space = "default"
trials = 1500
sampler = "nsga2"
objectives = [
    "mae",
    "latency",
    "flash",
]
finalists = 8
effort = "quick"
teacher = "auto"
distill = "auto"
space_size = "7680"

[budgets]
flash_bytes = 81920
scope = "total"

[path]
ppg_channels = 1
smoothing = "hmm"

[target]
board = "stm32h743"
engine = "ppgnas-c"
period_s = 2.0

[data]
source = "synthetic"
synthetic = true
fingerprint = "sha256:12"
front_end = "slope-1"
recipe = "aligned-1"
recordings = 3
people = 3

[split]
train = [
    "a/1",
]
search = [
    "a/2",
]
report = [
    "a/3",
]

[smoothing]
width_bpm = 3.0
leave = 1e-06
evidence = 1.0
floor = 0.002

[versions]
ppgnas = "0.1.0"
python = "3.11.7"

[time_s]
search = 1.5
"""


def test_run_toml_is_what_others_script_against(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    made = run_document(finished="2026-11-28T09:08:40+00:00", time_s={"search": 1.5})
    run.write_document(made)
    assert run.toml.read_text() == RUN_TOML
    assert run.document() == made
    run.record_teacher(TAUGHT_BY)
    assert run.document() == replace(made, taught_by=TAUGHT_BY)


def test_a_run_of_an_older_version_is_read(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    older = run_document(smoothing=None, front_end=None, recipe=None)
    run.write_document(older)
    assert run.document() == older
    assert run.document().preparation == {"front_end": None, "recipe": None}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('format = "ppgnas-run"', 'format = "x"', "no format = 'ppgnas-run' in [run]: it is not"),
        ('command = "ppgnas search --budget 80KB"', "", "command: Field required"),
        ("seed = 0", "", "the key 'seed' is missing"),
        ("people = 3", 'people = "three"', "people: Input should be a valid integer"),
        ("search = 1.5", 'search = "long"', "time_s.search: Input should be a valid number"),
        ("search = 1.5", "search = nan", "nan is no finite number"),
        ('"a/3"', '"a/2"', "'a/2' is in both search and report"),
        ("width_bpm = 3.0", "width_bpm = 900.0", "width_bpm is 900.0; allowed"),
        ("[data]", "[dataa]", "the key 'data' is missing"),
        ('sampler = "nsga2"', 'sampler = "best"', "sampler: String should match pattern"),
        ("trials = 1500", 'trials = "many"', "trials: Input should be a valid integer"),
        ("trials = 1500", "", "the key 'trials' is missing"),
        ('space = "default"', "space = 3", "space: Input should be a valid string, found 3"),
        ("period_s = 2.0", "period_s = [2.0]", "period_s: Input should be a valid number"),
        ("[time_s]", "[time_s", "is damaged (Expected ']'"),
    ],
)
def test_a_damaged_run_toml_is_one_message(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    run = RunDir(tmp_path)
    assert old in RUN_TOML
    run.toml.write_text(RUN_TOML.replace(old, new))
    with pytest.raises(RunError) as caught:
        run.document()
    assert str(caught.value).startswith(f"{run.toml} is damaged (")
    assert message in str(caught.value)
    assert "start a new run with another `out`" in str(caught.value)


def test_half_a_file_another_encoding_and_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    for content in (b'{"format": "ppg', b"\xff\xfe\x00", b"", b"[]", b"null", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"card\.json is damaged \(.*pass a folder"):
            read_document(path, dict)
    with pytest.raises(RunError, match=r"none\.json does not exist: run it again"):
        read_document(tmp_path / "none.json", dict, missing="run it again")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(RunError, match=r"folder\.json cannot be read \(Is a directory\)"):
        read_document(tmp_path / "folder.json", dict)


def test_replacing_a_value_keeps_the_rest(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.write_document(replace(run_document(), time_s={"search": 1.0}))
    run.record_time("search", 0.5)
    assert run.document() == run_document(time_s={"search": 1.5})
