"""`import ppgnas`: light, documented, and the same figures as the command line."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas.api.model
import nas.api.run
import ppgnas
from nas import search as searching
from nas.explore.rescored import Rescored
from nas.models import predict
from nas.run.config import Budgets, SearchConfig
from nas.run.folder import RunDir
from nas.run.job.progress import Silent
from ppgnas.errors import DependencyError, PpgnasError
from tests.nas.fakes import FakeTrainer, write_people

ROOT = Path(__file__).parents[1]
UNTYPED: Any = ppgnas
FRONT_DOOR = (nas.api.model, nas.api.run)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recordings and a finished run, as the examples suppose."""
    folder = tmp_path_factory.mktemp("front_door")
    people = write_people(folder / "recordings")
    config = SearchConfig(
        data=str(people), budgets=Budgets(80 * 1024), space="tiny", trials=30, finalists=2
    )
    searching.search(
        config,
        RunDir(folder / "results/run"),
        command="",
        progress=Silent(),
        make_trainer=FakeTrainer,
    )
    return folder


@pytest.fixture
def inside(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(workplace)
    whole = searching.search

    def search(config: SearchConfig, *where: Any, **options: Any) -> Any:
        few = replace(config, space="tiny", trials=12, finalists=1)
        return whole(few, *where, make_trainer=FakeTrainer, **options)

    monkeypatch.setattr(searching, "search", search)
    return workplace


def test_importing_brings_nothing() -> None:
    script = (
        "import sys, ppgnas\n"
        "heavy = {'torch', 'numpy', 'scipy', 'pydantic', 'plotly', 'optuna', 'typer', 'nas'}\n"
        "print(sorted(heavy & set(sys.modules)), len(dir(ppgnas)))\n"
        "ppgnas.load, ppgnas.score, ppgnas.Arch\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("[] ") and done.stdout.endswith("False\n")


def test_every_public_name_is_there_and_documented() -> None:
    stub = (ROOT / "ppgnas" / "__init__.pyi").read_text(encoding="utf-8")
    for name in ppgnas.__all__:
        found = getattr(ppgnas, name)
        assert found.__doc__, name
        assert f" as {name}\n" in stub
    with pytest.raises(AttributeError, match=r"no attribute 'lod'; it has .*'load'"):
        ppgnas.lod  # type: ignore[attr-defined]  # noqa: B018


def test_the_examples_hold(inside: Path) -> None:
    results = [doctest.testmod(each, extraglobs={"ppgnas": ppgnas}) for each in FRONT_DOOR]
    assert sum(each.attempted for each in results) >= 8
    assert sum(each.failed for each in results) == 0


def test_results_show_themselves(inside: Path) -> None:
    run = ppgnas.Run(RunDir(Path("results/run")))
    model = run.models[0]
    trace = model.predict(sorted(Path("recordings").rglob("*.npz"))[0])
    shown = {
        "run": run,
        "model": model,
        "trace": trace,
        "evaluation": model.evaluate("recordings"),
        "scorecard": ppgnas.score(model),
        "rescored": ppgnas.rescore(run, board="nrf5340"),
    }
    for name, result in shown.items():
        page = result._repr_html_()
        assert repr(result) == f"{type(result).__name__}({result.caption})", name
        assert page.count("<tr>") == min(len(result.rows()), 20) + 1, name
        assert result.caption.replace("&", "&amp;") in page.replace("&#x27;", "'"), name
    assert isinstance(shown["rescored"], Rescored) and isinstance(trace, predict.Trace)
    hidden = len(model.rows()) - 20
    assert hidden > 0 and f"; {hidden} more rows, see to_pandas()" in model._repr_html_()


def test_the_command_line_says_the_same(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from nas.cli.main import main

    with pytest.raises(SystemExit):
        main(["evaluate", "results/run:1", "--data", "recordings", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert ppgnas.load("results/run:1").evaluate("recordings").to_json() == told
    assert (
        ppgnas.score(ppgnas.load("published:tiny").graph).to_json()["latency_ms"]
        == (ppgnas.score("published:tiny").to_json()["latency_ms"])
    )


def _rescored(model: ppgnas.Model, **options: object) -> object:
    assert model.found.run is not None
    return UNTYPED.rescore(model.found.run.path, board="nrf5340", **options)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda model: UNTYPED.read(""), "`source` is empty"),
        (lambda model: UNTYPED.load(None), "`name` is of the type NoneType"),
        (lambda model: UNTYPED.score(["published:tiny"]), "`name` is of the type list"),
        (lambda model: UNTYPED.rescore(3, board="nrf5340"), "`run` is of the type int"),
        (lambda model: UNTYPED.search(budget=80), "`budget` 80 has no unit"),
        (lambda model: UNTYPED.search("80KB", data=Path()), "no .npz file"),
        (lambda model: UNTYPED.search("80KB", data=""), "`data` is empty"),
        (lambda model: UNTYPED.search("80KB", out=""), "`out` is empty"),
        (lambda model: UNTYPED.search("80KB", effrot="quick"), "no option 'effrot'; see "),
        (lambda model: model.predict(np.zeros(1000)), "`recording` is of the type ndarray"),
        (lambda model: model.evaluate(np.zeros(1000)), "`source` is of the type ndarray"),
        (lambda model: model.evaluate([]), "there are no recordings"),
        (lambda model: model.export("out", formats="zip"), "`formats` is 'zip'"),
        (lambda model: model.export(""), "`out` is empty"),
        (lambda model: model.export("out", prefix="x"), "`prefix` cannot act: c alone has it"),
        (lambda model: model.export("out", formats="c", adapt_minutes=3), "`adapt` is not given"),
        (lambda model: model.export("out", mode="x"), "`mode` is 'x'; allowed"),
        (lambda model: model.verify(windows=0), "`windows` is 0; it must be at least 1"),
        (lambda model: UNTYPED.score(model, mode="Streaming"), "`mode` is 'Streaming'; allowed"),
        (lambda model: UNTYPED.score(model, mode=""), "`mode` is ''; allowed: window"),
        (lambda model: ppgnas.score(model, period_s=0), "`rate` is 0 s; it must be above 0"),
        (
            lambda model: ppgnas.score(model, period_s=np.nan),
            "`rate` is nan s; it must be",
        ),
        (lambda model: _rescored(model, scope="all"), "`budget_scope` is 'all'; allowed: total"),
        (lambda model: _rescored(model, period_s=0), "`rate` is 0 s; it must be above 0"),
    ],
)
def test_wrong_arguments_are_told(
    wrong: Callable[[ppgnas.Model], object],
    said: str,
    inside: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = ppgnas.load(inside / "results/run:1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PpgnasError) as caught:
        wrong(model)
    assert said in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_one_recording_and_one_text_are_enough(inside: Path, tmp_path: Path) -> None:
    model = ppgnas.load("results/run:1")
    (recording, *_) = ppgnas.read("recordings")
    assert model.evaluate(recording) == model.evaluate([recording])
    model.export(tmp_path / "a", formats="onnx,tflite")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "model.onnx",
        "model.tflite",
    ]


def test_an_export_of_c_takes_what_the_verb_takes(inside: Path, tmp_path: Path) -> None:
    model = ppgnas.load("results/run:1")
    model.export(tmp_path, formats="c", prefix="mine", adapt="bias", adapt_minutes=3, ppg_hz=64)
    assert (tmp_path / "mine_adapt.h").is_file()
    with pytest.raises(PpgnasError, match="exists and differs"):
        model.export(tmp_path, formats="c", prefix="mine", adapt="bias")
    model.export(tmp_path, formats="c", force=True)
    assert not (tmp_path / "mine_adapt.h").exists()


def test_pandas_is_asked_for(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = ppgnas.score("published:tiny")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DependencyError, match="pandas is not installed; pip install pandas"):
        card.to_pandas()


def test_pandas_takes_the_rows(inside: Path) -> None:
    pytest.importorskip("pandas")
    card = ppgnas.score("published:tiny")
    frame = card.to_pandas()
    assert list(frame.columns) == ["name", "op", "macs", "cycles", "weight_bytes", "live_bytes"]
    assert len(frame) == len(card.layers)
