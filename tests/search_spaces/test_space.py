"""The search space: counting, canonical form, choices, TOML."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppgnas.errors import SpaceError
from search_spaces.arch import Arch
from search_spaces.space import PRESETS, SearchSpace
from search_spaces.stages import StageSpace


def _micro(**changes: Any) -> SearchSpace:
    stage = StageSpace((0, 1, 2), (8, 16), (3, 5), (1, 2, 4), (1, 2), (1, 2), (False, True))
    stages = (stage, stage)
    space = SearchSpace("micro", (True,), (16, 25), (8,), (5,), stages, ("avg",), (0, 8), (1, 5))
    return replace(space, **changes)


def _is_member(space: SearchSpace, arch: Arch) -> bool:
    choices = space.choices_of(arch)
    allowed = all(choices[name] in values for name, values in space.dimensions.items())
    return allowed and space.build(choices) == arch


def test_the_exact_size_equals_enumeration_of_canonical_choices() -> None:
    space = _micro()
    names = list(space.dimensions)

    def all_choices(index: int, chosen: dict[str, Any]) -> set[Arch]:
        if index == len(names):
            return {space.build(chosen)}
        return set().union(
            *(
                all_choices(index + 1, {**chosen, names[index]: value})
                for value in space.dimensions[names[index]]
            )
        )

    small = replace(space, stages=space.stages[:1])
    space, names = small, list(small.dimensions)
    brute = all_choices(0, {})
    assert small.size == len(brute)
    assert set(small) == brute


def test_enumeration_has_no_repeats_and_matches_the_size() -> None:
    space = _micro(head_width=(0,), rate_hz=(25,))
    archs = list(space)
    assert len(archs) == len(set(archs)) == space.size


def test_presets_have_the_promised_sizes() -> None:
    sizes = {name: SearchSpace.preset(name).size for name in PRESETS}
    assert 1_000 <= sizes["tiny"] <= 9_999
    assert sizes["default"] > 10**9
    assert sizes["wide"] > sizes["default"]


STAGE = {"depth": 1, "width": 8, "kernel": 5, "dilation": 1, "expansion": 1, "stride": 4}
STAGE |= {"residual": False}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("stem_width", 8.5, "stem_width is 8.5; allowed: int"),
        ("acceleration", 1, "acceleration is 1; allowed: bool"),
        ("stages", [3], "the document is malformed"),
        ("width", 8, "the document is malformed"),
        ("stem_width", 10**18, "a choice is above 1024"),
        ("stem_kernel", 1, "stem_kernel is 1, below the stem's stride"),
        ("stages", [STAGE | {"width": 4096}], "stage 0 has a choice above 1024"),
        ("stages", [STAGE | {"kernel": 2}], "stage 0 has kernel 2 below stride 4"),
    ],
)
def test_an_arch_of_wrong_types_is_refused(key: str, value: object, message: str) -> None:
    document = SearchSpace.preset("tiny").smallest().to_json()
    with pytest.raises(SpaceError, match=message):
        Arch.from_json({**document, key: value})


def test_sampled_archs_are_canonical_members(random_archs: list[Arch]) -> None:
    space = SearchSpace.preset("default")
    for arch in random_archs[:150]:
        assert _is_member(space, arch)
        assert space.canonical(arch) == arch
        assert Arch.from_json(arch.to_json()) == arch


def test_ids_are_stable_and_different() -> None:
    space = SearchSpace.preset("tiny")
    ids = {arch.id for arch in space}
    assert len(ids) == space.size
    # written down once: an id that changes would orphan every run on disk
    assert space.smallest().id == space.smallest().id
    assert len(space.smallest().id) == 10


@given(st.integers(0, 10_000))
def test_mutation_stays_inside_and_is_repeatable(seed: int) -> None:
    space = SearchSpace.preset("default")
    arch = space.sample(random.Random(seed))
    child = space.mutate(arch, random.Random(seed + 1))
    assert _is_member(space, child)
    assert child == space.mutate(arch, random.Random(seed + 1))


def test_choices_that_cannot_act_are_clamped() -> None:
    space = _micro()
    choices = {name: values[-1] for name, values in space.dimensions.items()}
    choices |= {"stage0.depth": 1, "stage0.stride": 2, "stage0.residual": True}
    arch = space.build(choices)
    # a single strided block has neither dilation nor shortcut
    assert arch.stages[0].dilation == 1 and arch.stages[0].residual is False
    # 25 Hz: 200 samples -> 100 -> 50 -> 25 steps, which no even dilation divides
    assert arch.rate_hz == 25 and arch.stages[1].dilation == 1
    choices["stage1.depth"] = 0
    absent = space.build(choices).stages[1]
    assert absent.depth == absent.width == absent.kernel == 0


def test_suggest_asks_for_every_dimension_once() -> None:
    space = SearchSpace.preset("default")
    asked = []

    class First:
        def suggest_categorical(self, name: str, choices: Any) -> Any:
            asked.append(name)
            return choices[0]

    arch = space.suggest(First())
    assert asked == list(space.dimensions)
    assert _is_member(space, arch)


GOOD = """
acceleration = [true]
rate_hz = [32]
stem_width = [8]
stem_kernel = [9]
pooling = ["avg"]
head_width = [0]
head_spacing = [1, 5]
[[stages]]
depth = [1]
width = [8, 16]
kernel = [5]
dilation = [1]
expansion = [1]
stride = [2]
residual = [true]
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("rate_hz = [32]", "rate_hz = [50]"), r"rate_hz holds 50; allowed: 16, 25, 32, 64"),
        (("width = [8, 16]", "width = [8, 10]"), r"stages\[0\].width holds 10; allowed: 4 to 256"),
        (("width = [8, 16]", "width = [16, 8]"), r"must rise without repeats"),
        (("\nkernel = [5]", "\nkernal = [5]"), r"lacks kernel; allowed: depth, dilation, exp"),
        (("rate_hz", "rate"), r"lacks rate_hz; allowed: .* stages, stem_kernel, .* window_s$"),
        (("head_width = [0]", "head_width = 0"), r"head_width is 0; expected a list"),
        (("spacing = [1, 5]", "spacing = [7]"), r"head_spacing holds 7; allowed: 1, 2, 3, 5, 6"),
        (("depth = [1]", "depth = []"), r"stages\[0\].depth has no choices"),
        (("residual = [true]", "residual = [1]"), r"residual holds 1; allowed: False, True"),
        (("stride = [2]", "stride = [4]\n#"), None),
        (("[[stages]]", "[stages]"), r"stages is no list of tables; write \[\[stages\]\]"),
        (("stem_width = [8]", "stem_width = [8.0]"), r"stem_width holds 8.0; allowed: 4 to 256"),
        (("[[stages]]", "[[stages]\n"), r"is not TOML"),
    ],
)
def test_toml_errors_name_the_key(
    tmp_path: Path, change: tuple[str, str], message: str | None
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(*change))
    if message is None:
        assert SearchSpace.from_toml(path).stages[0].stride == (4,)
        return
    with pytest.raises(SpaceError, match=message):
        SearchSpace.from_toml(path)


def test_a_kernel_shorter_than_the_stride_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("kernel = [5]", "kernel = [3]").replace("[2]", "[4]"))
    with pytest.raises(SpaceError, match="would skip samples; raise the kernel"):
        SearchSpace.from_toml(path)


def test_strides_that_leave_one_time_step_are_undilated() -> None:
    stage = StageSpace((1,), (8,), (5,), (1, 2), (1,), (4,), (True,))
    space = _micro(stages=(stage,) * 4, rate_hz=(16,))
    arch = space.largest()
    assert [s.dilation for s in arch.stages] == [1, 1, 1, 1]


def test_unknown_preset_lists_the_known() -> None:
    with pytest.raises(SpaceError, match="'big' is unknown; presets: tiny, default, wide"):
        SearchSpace.preset("big")


def test_restricting_the_front_end() -> None:
    space = SearchSpace.preset("default").restricted(acceleration=False)
    assert all(not space.sample(random.Random(i)).acceleration for i in range(20))
    with pytest.raises(SpaceError, match="no architecture with acceleration = False"):
        SearchSpace.preset("tiny").restricted(acceleration=False)
