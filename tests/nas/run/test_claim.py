"""Where the configuration of a search comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nas.run.claim import asked_search, differences, told
from nas.run.config import ConfigError
from nas.run.resolve import resolve
from ppgnas.errors import RunError
from tests.nas.run.test_documents import RUN_TOML


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / "run.toml").write_text(RUN_TOML)
    return tmp_path


def test_a_run_toml_comes_in_as_it_went_out(written: Path) -> None:
    from nas.run.folder import RunDir

    known = resolve({}, RunDir(written).document().config)
    for source in (written, written / "run.toml"):
        config, folder = asked_search({"config": str(source)}, written / "new", resume=False)
        assert config == known and folder.path == written / "new"
    given = {"config": str(written), "seed": 7, "latency": "3ms"}
    config, _ = asked_search(given, written / "new", resume=False)
    budgets = replace(known.budgets, latency_ms=3.0)
    assert config == replace(known, seed=7, budgets=budgets)


def test_an_effort_stands_in_for_the_time_of_a_config() -> None:
    timed = resolve({"budget": "80KB", "time": "10min"})
    again = resolve({"effort": "smoke"}, timed)
    assert (again.effort, again.time_s) == ("smoke", None)


def test_what_is_no_run_toml_is_refused(written: Path) -> None:
    out = written / "new"
    with pytest.raises(RunError, match=r"card\.toml does not exist: pass the run\.toml"):
        asked_search({"config": str(written / "card.toml")}, out, resume=False)
    with pytest.raises(ConfigError, match=r"pass a run\.toml, or the folder of a run"):
        asked_search({"config": str(written / "card.json")}, out, resume=False)
    (written / "run.toml").write_text("[run]")
    with pytest.raises(RunError, match="is damaged"):
        asked_search({"config": str(written)}, out, resume=False)
    with pytest.raises(ConfigError, match="leave `config` out"):
        asked_search({"config": str(written)}, out, resume=True)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("nrf5340,stm32u575", "`board`: 'stm32h743' in the run, 'nrf5340,stm32u575' asked"),
        ("stm32h743,stm32u575", "`board`: 'stm32h743' in the run, 'stm32h743,stm32u575' asked"),
        ("nrf5340", "`board`: 'stm32h743' in the run, 'nrf5340' asked"),
    ],
)
def test_boards_are_one_option(asked: str, said: str) -> None:
    known = resolve({"budget": "80KB"})
    assert told(differences(resolve({"board": asked}, known), known)) == said
