"""Recipes are read whole, or refused with the mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.training.recipe import Prune, direct, load_recipe, recipe_names
from nas.cli.options import RECIPE_HELP
from ppgnas.errors import SpaceError

GOOD = """
[[stages]]
do = "train"
steps = 0.5
[[stages]]
do = "prune"
removed = 0.6
rounds = 3
steps = 0.5
[[stages]]
do = "quantise"
how = "aware"
"""


def test_what_comes_with_the_package_can_be_read() -> None:
    assert recipe_names() == [
        *("born-again", "direct", "post-training", "progressive", "prune-60", "prune-70")
    ]
    for name in recipe_names():
        stages = load_recipe(name).stages
        floats = [stage.steps for stage in stages if stage.do != "quantise"]
        assert sum(floats) == pytest.approx(1.0), "recipes are compared at equal training"
        assert name in RECIPE_HELP
    assert [stage.do for stage in direct().stages] == ["train", "quantise"]
    assert load_recipe("progressive").rates_hz == {32}
    assert all(load_recipe(name).float_steps == pytest.approx(1.0) for name in recipe_names())
    assert [name for name in recipe_names() if not load_recipe(name).simulates] == [
        "post-training"
    ]


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load_recipe(path).stages[1] == Prune(do="prune", removed=0.6, rounds=3, steps=0.5)
    assert load_recipe(str(path)).rates_hz == set()
    assert load_recipe(path).float_steps == 1.0 and load_recipe(path).simulates


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("removed = 0.6", "removed = 1.2"), r"stages.1.prune.removed is 1.2 and .*less than 1"),
        (("rounds = 3\n", ""), r"mine.toml: stages.1.prune.rounds is missing. See docs/distill"),
        (("rounds = 3", "round = 3"), r"stages.1.prune.rounds is missing"),
        (("how =", "steps = 3\nhow ="), "stages.2.quantise.steps is not a key of such a file"),
        (('"aware"', '"later"'), "stages.2.quantise.how is 'later' and .*'aware' or 'post-train"),
        (('do = "prune"', 'do = "shrink"'), r"stages.1 .*'shrink'.*'train', 'prune', 'assistant'"),
        (
            ('do = "quantise"\nhow = "aware"', 'do = "train"\nsteps = 1'),
            r"the stages are train, prune, train; the last one, and no other, must quantise",
        ),
        (
            ('do = "train"\nsteps = 0.5', 'do = "born-again"\ngenerations = 1\nsteps = 0.5'),
            "the stages are born-again, prune, quantise; a network must train before anything but",
        ),
        (
            ('do = "train"', 'do = "assistant"\narch = "published:huge"'),
            "mine.toml: an assistant's network 'huge' is unknown; allowed: timeppg-small",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "mine.toml"
    assert change[0] in GOOD
    path.write_text(GOOD.replace(*change))
    with pytest.raises(SpaceError, match=message):
        load_recipe(path)


def test_an_unknown_name_says_the_known() -> None:
    with pytest.raises(SpaceError, match=r"recipe .prune-7. is unknown; known recipes: born"):
        load_recipe("prune-7")
