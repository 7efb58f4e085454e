"""Names of samplers."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import optuna
import pytest

from nas.explore.samplers import check_sampler, make_sampler, remember_parents, reseed
from nas.run.config import SAMPLERS, ConfigError


@pytest.mark.parametrize("name", [*SAMPLERS, "QMCSampler", "NSGAIISampler"])
def test_what_searches_several_objectives_passes(name: str) -> None:
    check_sampler(name, 3)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("WishSampler", "a class of optuna.samplers such as CmaEsSampler"),
        ("BaseSampler", "cannot be made from a seed alone"),
        ("GridSampler", "cannot be made from a seed alone"),
        ("CmaEsSampler", "does not search 3 objectives over choices"),
        ("optunahub:auto", "write it as optunahub:samplers/auto_sampler"),
    ],
)
def test_what_cannot_search_says_why(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optunahub", ModuleType("optunahub"))
    with pytest.raises(ConfigError, match=message):
        check_sampler(name, 3)


@pytest.mark.parametrize("name", ["nsga2", "nsga3", "tpe", "random"])
def test_a_reseeded_sampler_draws_as_a_new_one(name: str) -> None:
    def drawn(*, anew: bool) -> list[dict[str, object]]:
        study = optuna.create_study(directions=["minimize"] * 2)
        kept = make_sampler(name, 99)
        for number in range(60):
            if anew:
                kept = make_sampler(name, number)
            else:
                reseed(kept, number)
            study.sampler = kept
            trial = study.ask()
            values = [trial.suggest_categorical(key, (1, 2, 3, 4)) for key in ("a", "b", "c")]
            study.tell(trial, (float(values[0]), float(values[1] - values[2])))
        return [trial.params for trial in study.trials]

    assert drawn(anew=False) == drawn(anew=True)


@pytest.mark.parametrize("name", ["nsga2", "nsga3"])
def test_parents_that_are_remembered_have_the_same_children(name: str) -> None:
    def drawn(*, remembered: bool) -> list[dict[str, object]]:
        sampler = make_sampler(name, 0)
        if remembered:
            remember_parents(sampler)
        study = optuna.create_study(directions=["minimize"] * 2, sampler=sampler)
        for _ in range(160):
            trial = study.ask()
            values = [trial.suggest_categorical(key, (1, 2, 3, 4)) for key in ("a", "b", "c")]
            study.tell(trial, (float(values[0]), float(values[1] - values[2])))
        return [trial.params for trial in study.trials]

    assert drawn(remembered=True) == drawn(remembered=False)


def test_without_optunahub_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optunahub", None)
    with pytest.raises(ConfigError, match="pip install optunahub"):
        make_sampler("optunahub:samplers/one", 0)


def test_a_package_of_optunahub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optunahub", reason="needs optunahub")
    monkeypatch.setenv("OPTUNAHUB_CACHE_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=r"is not installed .*fetch it once"):
        make_sampler("optunahub:samplers/mine", 0)
    package = tmp_path / "github.com/optuna/optunahub-registry/main/package/samplers/mine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "import optuna\n\nclass Mine(optuna.samplers.RandomSampler):\n    pass\n"
    )
    made = make_sampler("optunahub:samplers/mine", 3)
    assert type(made).__name__ == "Mine" and isinstance(made, optuna.samplers.RandomSampler)
    with pytest.raises(ConfigError, match="not one sampler but: none"):
        make_sampler("optunahub:samplers/mine:Other", 0)
