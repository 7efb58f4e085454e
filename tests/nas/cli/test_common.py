"""What the wrapper of every verb does with errors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer

from nas.cli.common import print_notes, verb
from nas.cli.main import main
from ppgnas.errors import DataError
from ppgnas.files import write_text_atomic
from tests.nas.cli.leaving import leave


@verb
def broken(
    message: Annotated[str, typer.Argument()],
    report_data: Annotated[str, typer.Option(help="Plain.")] = "",
    rate_hz: Annotated[float, typer.Option("--rate", "--period", help="Renamed.")] = 1.0,
) -> None:
    raise DataError(message)


def test_arguments_are_shown_as_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        broken("`report_data` x and `rate_hz` 3; not report_data, `seed` or `ppgnas train`")
    assert caught.value.exit_code == 2
    printed = capsys.readouterr().err
    assert printed == (
        "ppgnas: --report-data x and --rate 3; not report_data, `seed` or `ppgnas train`\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "run:1", "--data", ""],
        ["export", "run:1", "--out", ""],
        ["data", "convert", "there", "--rate", "25", ""],
        ["predict", "run:1", "", "--out", "trace.csv"],
        ["boards", "check", ""],
    ],
)
def test_an_empty_text_is_not_the_working_folder(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    name = words[words.index("") - 1]
    said = capsys.readouterr().err
    assert said.endswith(" is empty, perhaps an unset variable of the shell\n")
    assert not name.startswith("--") or f"ppgnas: {name} is" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "run:1", "own.csv", "--out", "own.csv"], "--out and `recording`"),
        (
            ["predict", "run:1", "x.csv", "--hr-csv", "own.csv", "--plot", "./own.csv"],
            "--plot and",
        ),
        (["predict", "run:1", "x.csv", "--out", "y", "--plot", "there/../y"], "--out and --plot"),
        (
            ["embed", "acc", "--recording", "there/../own.csv", "--out", "own.csv"],
            "--out and --rec",
        ),
        (["calibrate", "own.csv", "--plot", "own.csv"], "--plot and `measurements`"),
    ],
)
def test_nothing_is_written_over_what_is_read(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    Path("own.csv").write_text("t,ppg\n")
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"ppgnas: {said}")
    assert told.endswith("; name another to write\n")
    assert Path("own.csv").read_text() == "t,ppg\n"


def test_a_word_that_is_called_like_an_output_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seen = []

    @verb
    def writes(out: str, name: str) -> None:
        seen.append((out, name))

    writes(out="tiny", name="tiny")
    assert seen == [("tiny", "tiny")]


def test_notes_of_several_files_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    print_notes(
        ["a.csv: t is in ms.", "b.csv: t is in ms.", "a.csv: t is in ms.", "all is well: so"]
    )
    assert capsys.readouterr().err == (
        "Note: a.csv and 1 more: t is in ms.\nNote: all is well: so\n"
    )


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("own.txt/page.md", "own.txt is a file; name a folder in its place"),
        ("own.txt/there/page.md", "own.txt is a file; name a folder in its place"),
        ("there", "there is a folder; name a file"),
    ],
)
def test_a_misplaced_output_is_told(
    place: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @verb
    def writes() -> None:
        write_text_atomic(Path(place), "page")

    monkeypatch.chdir(tmp_path)
    Path("own.txt").touch()
    Path("there").mkdir()
    with pytest.raises(typer.Exit) as caught:
        writes()
    assert caught.value.exit_code == 2
    assert capsys.readouterr().err == f"ppgnas: {said}\n"


@pytest.mark.parametrize(
    ("said", "why"), [(["Unable to allocate 40 GiB"], "40 GiB"), ([], "no more was to be had")]
)
def test_want_of_memory_is_told(
    said: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @verb
    def reads() -> None:
        raise MemoryError(*said)

    with pytest.raises(typer.Exit):
        reads()
    told = capsys.readouterr().err
    assert f"{why}). See that no file is far larger" in told


@pytest.mark.parametrize(
    "line", ["report loop", "data inspect loop", "export published:tiny --out loop"]
)
def test_a_link_that_leads_to_itself_is_one_message(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    assert leave(*line.split()) in (1, 2)
    told = capsys.readouterr().err
    assert told.startswith("ppgnas: ") and told.count("\n") == 1 and "Traceback" not in told
