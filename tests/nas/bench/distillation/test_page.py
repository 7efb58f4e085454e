"""What rows are called."""

from __future__ import annotations

import pytest

from hwmodels.costs import Costs
from nas.bench.distillation.cells import Recipe
from nas.bench.distillation.figures import BenchFigures, RowFigures
from nas.bench.distillation.page import row_names
from nas.bench.distillation.tables import BENCHES, Ingredients
from nas.bench.interval import Interval


def figures(recipes: list[Recipe]) -> BenchFigures:
    nothing = Interval(1.0, 1.0, 1.0)
    rows = tuple(
        RowFigures(
            recipe=recipe,
            against=None,
            parameters=1,
            costs=Costs(1, 1, 1, 1, 1, 1, 1),
            float_steps=1,
            int8_steps=1,
            teacher_min=0,
            pool_min=0,
            student_min=0,
            raw=nothing,
            smoothed=nothing,
            search_bpm=1.0,
        )
        for recipe in recipes
    )
    return BenchFigures("strategies", (0,), ("one",), False, rows, ())


def test_a_row_is_called_by_what_tells_it_from_others() -> None:
    alone = Recipe(student="tiny")
    one = Recipe(student="tiny", teacher="/runs/best.safetensors", mix="soft:1")
    other = Recipe(student="tiny", teacher="/runs/best.safetensors", mix="dkd:1")
    assert row_names(figures([alone, one])) == {alone: "tiny, labels alone", one: "tiny, best"}
    assert row_names(figures([alone, one, other]))[other] == "tiny, dkd:1"
    both = Recipe(student="tiny", teacher="ensemble:spectral,resnet-small", mix="soft:1")
    assert row_names(figures([one, both]))[both] == "tiny, spectral + resnet-small"
    assert row_names(figures([one, other, both]))[one] == "tiny, best, soft:1"


@pytest.mark.parametrize("name", BENCHES)
def test_no_two_rows_of_a_bench_are_called_the_same(name: str) -> None:
    rows = BENCHES[name].rows(Ingredients("full", "resnet-small", "soft:1"))
    recipes = list(dict.fromkeys(row.recipe for row in rows))
    names = row_names(figures(recipes))
    assert len(set(names.values())) == len(recipes)
