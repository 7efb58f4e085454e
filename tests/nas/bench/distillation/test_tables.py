"""Rows of all benches, and the students that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.bench.distillation.cells import SIZES, Cell, Recipe, scaled, student_arch
from nas.bench.distillation.tables import BENCHES, PRESETS, BenchConfig, Ingredients, Preset
from nas.cli.bench.cells import CELL_VERBS
from nas.models.names import ModelError
from nas.run.config import ConfigError
from ppgnas.errors import DataError
from search_spaces.lower import lower
from search_spaces.published import MEDIUM


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", BENCHES)
def test_every_control_is_a_row_above(name: str, preset: Preset) -> None:
    rows = BENCHES[name].rows(Ingredients(preset, "resnet-small", "soft"))
    recipes = [row.recipe for row in rows]
    assert len(set(rows)) == len(rows)
    assert len({recipe.id for recipe in recipes}) == len(set(recipes))
    for place, row in enumerate(rows):
        assert row.against is None or row.against in recipes[:place]
        student_arch(row.recipe.student)
    assert set(CELL_VERBS) == set(BENCHES)


def test_sizes_are_spread_from_one_to_eighty_kilobytes() -> None:
    sizes = [lower(student_arch(name)).total_weight_bytes for name in SIZES]
    assert sizes == sorted(sizes) and len(sizes) >= 6
    assert sizes[0] < 1000 and 75_000 < sizes[-1] < 85_000
    assert scaled(MEDIUM, 1) == MEDIUM
    with pytest.raises(ModelError, match="mediocre: there is no such file"):
        student_arch("mediocre")


def test_a_teacher_needs_a_mix() -> None:
    with pytest.raises(DataError, match="teacher 'resnet-small' has nothing to teach"):
        Recipe(student="tiny", teacher="resnet-small")
    one, other = (Recipe(student="tiny", people=people) for people in (4, None))
    assert Cell(one, 0).ground != Cell(other, 0).ground
    assert Cell(one, 0).ground.id != Cell(one, 1).ground.id


def test_few_people_are_not_answered_for_by_a_file(tmp_path: Path) -> None:
    file = tmp_path / "teacher.safetensors"
    file.touch()
    with pytest.raises(ConfigError, match="rows of the bench labels learn from few people"):
        BenchConfig(bench="labels", minutes=1, teacher=str(file))
    assert BenchConfig(bench="scaling", minutes=1, teacher=str(file)).rows


@pytest.mark.parametrize("name", ["FILE", "spectral-ppg", "ensemble:spectral,FILE"])
def test_a_teacher_is_compared_with_itself_without_acceleration(name: str, tmp_path: Path) -> None:
    file = tmp_path / "teacher.safetensors"
    file.touch()
    with pytest.raises(ConfigError, match="is a file or reads PPG alone, and the bench sensors"):
        BenchConfig(bench="sensors", minutes=1, teacher=name.replace("FILE", str(file)))


def test_an_id_is_of_what_is_not_the_default() -> None:
    plain, told = Recipe(student="tiny"), Recipe(student="tiny", calibrated=True, people=None)
    assert plain.id == told.id != Recipe(student="tiny", quantisation="post").id
