"""What the documentation says is run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)


def test_no_page_has_marks_of_a_merge() -> None:
    for page in (*PAGES, "CHANGELOG.md"):
        assert not re.search("^(<{7} |>{7} )", (ROOT / page).read_text(), re.MULTILINE), page


def test_the_recording_example_is_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ppg.npz.folder import read_folder

    page = (ROOT / "docs" / "recordings.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/recordings.md", "exec"), {})
    (recording,) = read_folder(tmp_path)
    assert recording.person == "mine/anna"
    assert recording.usable.sum() == 26 and recording.acc is not None


def _commands() -> list[list[str]]:
    found = []
    for page in PAGES:
        for line in (ROOT / page).read_text().splitlines():
            match = re.match(r"^ {4}(?:\.venv/bin/)?ppgnas (.*)$", line)
            if match:
                found.append(shlex.split(match[1].split("#")[0]))
    return found


def test_every_command_in_the_documentation_parses() -> None:
    """Verb, options and arguments are there, and none is too many; nothing is run."""
    from nas.cli.main import app

    commands = _commands()
    assert len(commands) >= 6
    verbs = typer.main.get_command(app)
    for words in commands:
        command: Any = verbs
        rest = list(words)
        while hasattr(command, "commands"):
            assert rest[0] in command.commands, words
            command = command.commands[rest.pop(0)]
        assert problem_of(command, rest) == "", words


def problem_of(command: Any, words: list[str]) -> str:
    """What is wrong with the words after a verb; empty where they can be read."""
    try:
        command.make_context("ppgnas", words)
    except Exception as error:  # of the click within typer, which has no public name
        return "" if getattr(error, "exit_code", 1) == 0 else str(error)
    return ""


def test_a_wrong_command_would_be_noticed() -> None:
    from nas.cli.main import app

    predict = typer.main.get_command(app).commands["predict"]  # type: ignore[attr-defined]
    assert problem_of(predict, ["results/run:2", "walk.csv"]) == ""
    assert "RECORDING" in problem_of(predict, ["results/run:2"]).upper()
    assert "--wish" in problem_of(predict, ["results/run:2", "walk.csv", "--wish"])


def _verbs(command: Any, before: str = "") -> list[str]:
    """Every verb, `data inspect` among them."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return [before.strip()]
    return [verb for name, each in inner.items() for verb in _verbs(each, f"{before} {name}")]


def test_every_verb_is_in_a_page() -> None:
    """With its whole name, or a bench in a table of benches."""
    from nas.cli.main import app

    pages = " ".join((ROOT / page).read_text() for page in PAGES)
    verbs = _verbs(typer.main.get_command(app))
    assert len(verbs) > 30 and "bench training" in verbs and "engines list" in verbs

    def is_there(verb: str) -> bool:
        cell = f"| `{verb.split()[-1]}`" if verb.startswith("bench ") else "\0"
        return bool(re.search(rf"(ppgnas |`){verb}\b", pages)) or cell in pages

    assert [verb for verb in verbs if not is_there(verb)] == []


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        path = ROOT / page
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{page}: {target}"


def test_questions_of_a_newcomer_lead_to_files() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    table = page.split("## Where is it?")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| W") or "? |" in line]
    assert len(rows) >= 20
    for row in rows:
        named = re.findall(r"`([\w/.]+)`", row.split("? |")[1])
        assert named, row
        for path in named:
            assert (ROOT / path).exists(), f"{path}: {row}"


def test_the_csv_of_the_documentation_converts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of the page, gone on with for half a minute, under the command of the page."""
    import numpy as np

    from nas.cli.main import app
    from ppg.npz.folder import read_folder

    page = (ROOT / "docs" / "own_data.md").read_text()
    (rows,) = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    lines = rows.splitlines()
    for index in range(3, 1500):
        pulse = 51_240 + 100 * np.sin(index / 7)
        heart_rate = 71 if index % 50 == 0 else ""
        lines.append(f"{index * 0.02:.2f},{pulse:.0f},0.01,-0.02,0.99,{heart_rate}")
    (tmp_path / "anna_walk.csv").write_text("\n".join(lines))
    (command,) = (c for c in _commands() if c[:3] == ["data", "convert", "anna_walk.csv"])
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    (recording,) = read_folder(tmp_path / "recordings")
    assert recording.person == "mine/anna" and recording.name == "anna_walk"
    assert recording.ppg_hz == 50.0 and set(recording.hr_bpm) == {71.0}


@pytest.mark.slow
def test_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every code cell of the notebook, in order; the last value of a cell shows itself."""
    cells = json.loads((ROOT / "docs" / "tour.ipynb").read_text(encoding="utf-8"))["cells"]
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(codes) >= 8
    for code in codes:
        exec(compile(code, "docs/tour.ipynb", "exec"), known)
    assert (tmp_path / "firmware" / "model.c").is_file()
    assert "SYNTHETIC" in known["run"]._repr_html_()  # type: ignore[attr-defined]


def test_modules_named_in_the_documentation_exist() -> None:
    """`room.module` is a file or a folder, `room.module.name` something that the file defines."""
    pages = [*PAGES, "CHANGELOG.md", "hwmodels/data/README.md"]
    named = re.compile(r"`(?:python -m )?((?:ppgnas|ppg|hwmodels|search_spaces|distill|deploy|nas)"
                       r"(?:\.\w+)+)[`(\s]")  # fmt: skip
    for page in pages:
        for name in set(named.findall((ROOT / page).read_text(encoding="utf-8"))):
            parts = name.split(".")
            found = ROOT
            while parts and (found / parts[0]).is_dir():
                found /= parts.pop(0)
            if not parts:
                continue
            file = found / f"{parts[0]}.py"
            file, rest = (file, parts[1:]) if file.is_file() else (found / "__init__.py", parts)
            text = file.read_text(encoding="utf-8")
            if file == ROOT / "ppgnas" / "__init__.py":
                text += (ROOT / "ppgnas" / "__init__.pyi").read_text(encoding="utf-8")
            assert all(re.search(rf"\b{word}\b", text) for word in rest[:1]), f"{page}: {name}"
