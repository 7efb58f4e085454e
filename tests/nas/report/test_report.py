"""The page as a whole, and runs that are unfinished, damaged or foreign."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from nas.models.names import find_model
from nas.report.loading import load_run
from nas.report.report import build_report, write_report
from nas.report.sections.finalists import export_command
from nas.run.config import Budgets, SearchConfig
from nas.run.folder import RunDir
from ppgnas.errors import RunError
from ppgnas.files import sha256_of
from tests.nas.report.report_run import ODD_NAMES, make_run
from tests.nas.run.made import run_document

PLOTLY_ONCE = '<script type="application/gzip" id="plotly">'


class Page(HTMLParser):
    """Tags with their attributes, and the text outside of scripts and styles."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._words = ""
        self._open = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open not in ("script", "style"):
            self._words += data

    @property
    def words(self) -> str:
        """What a person reads, with one space where HTML has any."""
        return " ".join(self._words.split())

    def ids(self, tag: str) -> list[str]:
        return [attrs["id"] or "" for seen, attrs in self.tags if seen == tag and "id" in attrs]


@pytest.fixture(scope="module")
def document(run: Path) -> str:
    return build_report(run)


SECTIONS = [
    "verdict",
    "finalists",
    "pareto",
    "parallel",
    "people",
    "stretches",
    "conditions",
    "agreement",
    "confidence",
    "datasets",
    "layers",
    "history",
    "provenance",
]


# The page


def test_page_has_every_section_and_one_plotly(document: str) -> None:
    page = Page(document)
    assert page.ids("section") == SECTIONS
    assert document.count(PLOTLY_ONCE) == 1
    assert "synthetic data" not in page.words


def test_plotly_is_packed_whole(document: str) -> None:
    packed = document.split(PLOTLY_ONCE, 1)[1].split("</script>", 1)[0]
    assert gzip.decompress(base64.b64decode(packed)).decode() == get_plotlyjs()


def test_page_loads_nothing(document: str) -> None:
    page = Page(document)
    linked = [attrs for _, attrs in page.tags if "src" in attrs or "srcset" in attrs]
    assert linked == []
    assert not any(tag == "link" for tag, _ in page.tags)
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'")
    assert all(str(a["href"]).startswith("#") for tag, a in page.tags if tag == "a")
    assert "showSendToCloud: false" in document


def test_large_run_stays_small(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", candidates=1500, finalists=8, people=40, windows=600)
    assert len(build_report(run).encode()) < 4e6


def test_command_of_each_finalist_names_the_run(run: Path, document: str) -> None:
    words = Page(document).words
    for number in range(1, 7):
        command = f"ppgnas export {run}:{number} --format tflite,onnx,c --out finalist_{number}"
        assert command in words


def test_command_is_quoted_for_a_shell(tmp_path: Path) -> None:
    run = make_run(tmp_path / "my run; rm $HOME", finalists=1, people=2, windows=20)
    data = load_run(run)
    command = export_command(data, data.finalists[0])
    assert command.startswith(f"ppgnas export '{run}:1' --format")


def test_synthetic_is_said_once_wherever_a_result_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", synthetic=True, people=6, windows=50)
    document = build_report(run)
    sections = re.findall(r"<section id=\"(\w+)\">(.*?)</section>", document, re.DOTALL)
    assert len(sections) == len(SECTIONS)
    for key, body in sections:
        badges = body.count('<span class="badge">synthetic data')
        told = key not in ("layers", "provenance") and "data-plot=" not in body
        assert badges == int(told), key
    assert document.count('<span class="badge">synthetic data') < len(SECTIONS)
    assert "generated recordings" in document
    assert "simulated people" in document
    plots = re.findall(r'data-plot="[\w-]+">(.*?)</script>', document)
    assert len(plots) == 15
    for figures in plots:
        for drawn in json.loads(figures).values():
            texts = [note["text"] for note in drawn["layout"]["annotations"]]
            assert "synthetic data" in texts


def test_odd_names_are_inert(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", names=ODD_NAMES, people=9, windows=30, finalists=2)
    document = build_report(run)
    page = Page(document)
    assert "<script>alert(1)" not in document
    assert not any(tag == "img" for tag, _ in page.tags)
    assert not any(attr.startswith("on") for _, attrs in page.tags for attr in attrs)
    assert sum(tag == "script" for tag, _ in page.tags) == document.count("</script>")
    for odd in ODD_NAMES:
        # The parser reads entities back: what a person sees is the name itself.
        assert " ".join(odd.split()) in page.words
    for figures in re.findall(r'data-plot="[\w-]+">(.*?)</script>', document):
        assert "<script>" not in json.dumps(json.loads(figures))


def test_report_is_written_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", candidates=20, finalists=1, people=2, windows=10)
    (run / "report.html").write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ppgnas.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_report(run)
    assert (run / "report.html").read_text() == "old"
    monkeypatch.undo()
    assert write_report(run) == run / "report.html"
    assert (run / "report.html").read_text() == build_report(run)
    assert not list(run.glob(".report*"))


# Unfinished and foreign runs


def test_run_before_candidates(tmp_path: Path) -> None:
    config = SearchConfig(budgets=Budgets(flash_bytes=81920), board="nrf5340")
    RunDir(tmp_path).write_document(run_document(config=config))
    page = Page(build_report(tmp_path))
    assert page.ids("section") == ["verdict", "provenance"]
    assert "The search has not written its candidates yet." in page.words
    assert "nrf5340" in page.words
    assert PLOTLY_ONCE not in build_report(tmp_path)


def test_run_without_finalists(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", finalists=0)
    page = Page(build_report(run))
    assert page.ids("section") == ["verdict", "pareto", "parallel", "history", "provenance"]
    assert "No finalist is finished yet: the run is not complete; continue it" in page.words
    assert "BPM on the search people, as foretold of a whole training." in page.words
    assert "are foretold, from first rungs (a fifth of a float training) of" in page.words
    assert "inherited" not in page.words
    older = make_run(tmp_path / "older", finalists=0, calibrated=False)
    words = Page(build_report(older)).words
    assert "BPM on the search people, with weights inherited from the supernet." in words
    assert "They were evaluated with weights inherited from the supernet." in words
    assert "dark where its inherited MAE is low" in words and "foretold" not in words


def test_one_finalist_of_one_person(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", finalists=1, people=1, windows=1)
    page = Page(build_report(run))
    assert page.ids("section") == SECTIONS
    assert "Few report people (1)" in page.words


def test_what_is_not_there_yet_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", candidates=40, finalists=2, people=3, windows=10)
    (run / "front" / "2" / "predictions.csv").unlink()
    (run / "front" / "3").mkdir()
    page = Page(build_report(run))
    assert page.ids("section") == SECTIONS
    assert "Finalist 2 has no predictions.csv." in page.words
    assert "Finalist 3 is not finished." in page.words
    assert not re.search(r"\b(nan|None|null)\b", page.words)


@pytest.mark.parametrize(
    ("deleted", "said"),
    [
        ("front", "front/ holds no finalist: the run came to its end"),
        ("front/2", "front/ lacks finalist 2: the run came to its end"),
        ("front/*", "front/ holds no finalist: the run came to its end"),
    ],
)
def test_finalists_that_were_deleted_are_not_awaited(
    tmp_path: Path, deleted: str, said: str
) -> None:
    run = make_run(tmp_path / "run", candidates=40, finalists=3, people=3, windows=10)
    RunDir(run).finish()
    assert not any("came to its end" in note for note in load_run(run).notes)
    for folder in run.glob(deleted):
        shutil.rmtree(folder)
    assert any(note.startswith(said) for note in load_run(run).notes)
    words = Page(build_report(run)).words
    assert said in words and "--resume" not in words
    gone = "1" if deleted != "front/2" else "2"
    with pytest.raises(RunError, match=r"has no finalist") as caught:
        find_model(f"{run}:{gone}")
    assert "--resume" not in str(caught.value)


def test_no_evaluated_candidate(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", candidates=10, finalists=0)
    path = run / "candidates.json"
    document = json.loads(path.read_text())
    for candidate in document["candidates"]:
        candidate.update(feasible=False, mae_bpm=None, on_front=False)
    path.write_text(json.dumps(document))
    page = Page(build_report(run))
    assert page.ids("section") == ["verdict", "pareto", "history", "provenance"]


def break_json(run: Path) -> None:
    path = run / "front" / "1" / "card.json"
    path.write_bytes(path.read_bytes()[:100])


def break_columns(run: Path) -> None:
    (run / "front" / "1" / "predictions.csv").write_text("person,hr\na,3\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_json, r"card.json is damaged \(.*; pass a folder"),
        (break_columns, r"predictions.csv has no column bpm, reference_bpm"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, damage: Any, message: str) -> None:
    run = make_run(tmp_path / "run", candidates=20, finalists=1, people=2, windows=5)
    damage(run)
    with pytest.raises(RunError, match=message):
        build_report(run)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("predictions.csv", lambda text: text.replace(",9", ",8", 1)),
        ("predictions.csv", lambda text: text[: len(text) // 2]),
        ("predictions.csv", lambda text: text.replace("t00", "t40", 1)),
        ("stretches.json", lambda text: text.replace("21.5", "31.5", 1)),
    ],
)
def test_readings_that_the_card_does_not_describe(
    tmp_path: Path, name: str, damage: Callable[[str], str]
) -> None:
    run = make_run(tmp_path / "run", candidates=20, finalists=1, people=2, windows=5)
    path, card = (run / "front" / "1" / one for one in (name, "card.json"))
    document, text = json.loads(card.read_text()), path.read_text()
    described = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    card.write_text(json.dumps({**document, "files": {name: described}}))
    assert load_run(run).finalists
    assert damage(text) != text
    path.write_text(damage(text))
    with pytest.raises(RunError, match=rf"{name} is not the file that its card describes"):
        load_run(run)


def test_missing_and_foreign_folders(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nowhere is not a folder; pass a folder that"):
        build_report(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"holds no run \(no run\.toml\); pass a folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
