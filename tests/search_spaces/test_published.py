"""Published networks are as large as they were published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ppgnas.errors import SpaceError
from search_spaces.lower import lower
from search_spaces.plan import plan
from search_spaces.published import OWN, PUBLISHED, published
from search_spaces.space import SearchSpace


def size(name: str) -> tuple[int, int]:
    """Parameters and multiply-accumulates, counted from the plan and from the graph."""
    what, graph = plan(published(name)), lower(published(name))
    parameters = what.features * 180 + 180
    for conv in what.convs:
        inputs = 1 if conv.kind == "depthwise" else conv.inputs
        parameters += conv.outputs * (inputs * conv.kernel + 1)
    macs = 0
    for layer in graph.layers:
        weights = graph.weight_shape(layer)
        if not weights:
            continue
        target = graph.shape(layer.output)
        positions = target[1] * target[2] if len(target) == 4 else 1
        product = 1
        for length in weights:
            product *= length
        macs += positions * product
    return parameters, macs


def test_sizes_are_those_that_the_docstring_says() -> None:
    assert size("timeppg-small") == (4_764, 63_552)
    assert size("kd-pulse-student") == (28_352, 3_250_288)


def test_mobilenet_is_as_large_as_medium() -> None:
    mobile, medium = lower(published("mobilenet-1d")), lower(published("medium"))
    assert (mobile.total_parameters, mobile.total_macs) == (6_826, 233_916)
    assert mobile.total_parameters == pytest.approx(medium.total_parameters, rel=0.1)
    assert all(not block.residual for block in plan(published("mobilenet-1d")).blocks)


def test_sizes_are_near_those_published() -> None:
    parameters, macs = size("timeppg-small")
    assert 4_500 <= parameters <= 5_000 and macs == pytest.approx(62_000, rel=0.05)
    parameters, macs = size("kd-pulse-student")
    assert parameters == pytest.approx(27_200, rel=0.05)
    assert macs == pytest.approx(3.38e6, rel=0.05)


def test_our_own_are_as_large_as_the_docstring_says() -> None:
    kilobytes = [lower(published(name)).total_weight_bytes / 1024 for name in OWN]
    assert kilobytes == pytest.approx([2.46, 3.95, 7.21, 34.35], abs=0.01)
    for name in OWN:
        assert published(f"{name}-ppg") == replace(published(name), acceleration=False)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_they_are_canonical(name: str) -> None:
    assert SearchSpace.preset("tiny").canonical(published(name)) == published(name)


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(SpaceError, match="'resnet' is unknown; allowed: timeppg-small"):
        published("resnet")
