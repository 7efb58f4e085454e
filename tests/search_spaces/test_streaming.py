"""Networks that can stream: which, how far back they read, and one pass over a whole signal."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
import torch

from ppgnas.errors import SpaceError
from search_spaces.arch import Arch
from search_spaces.network import Network
from search_spaces.published import published
from search_spaces.space import PRESETS, SearchSpace
from search_spaces.streaming import (
    past_blocks,
    past_samples,
    require_streamable,
    streamable,
)

TINY = published("tiny")


def test_the_past_of_tiny_is_the_sum_of_its_taps() -> None:
    # stem 9 taps, then 7 taps of dilation 1, three times 2, and 4, all at 16 Hz
    assert past_samples(TINY) == 8 + 6 + 3 * 12 + 24
    assert past_blocks(TINY) == 3  # 74 samples, 32 a block


@pytest.mark.parametrize(
    ("arch", "reason"),
    [
        (replace(TINY, pooling="max"), "its head pools by max"),
        (
            published("timeppg-small"),
            "steps over 8 samples with dilation 8, and their product does not divide the 32",
        ),
        (
            replace(TINY, stages=(*TINY.stages, replace(TINY.stages[1], dilation=8))),
            "it reads 13.6 s back; allowed: 12 s",
        ),
    ],
)
def test_what_cannot_stream_is_refused(arch: Arch, reason: str) -> None:
    assert reason in str(streamable(arch))
    with pytest.raises(SpaceError, match=r"cannot stream: .*; choose another, or `mode` window"):
        require_streamable(arch)


@pytest.mark.parametrize("name", PRESETS)
def test_a_streaming_space_holds_only_what_can_stream(name: str) -> None:
    space, rng = SearchSpace.preset(name).streaming(), random.Random(0)
    drawn = [space.sample(rng) for _ in range(200)]
    for arch in [*drawn, space.largest(), space.smallest(), space.mutate(drawn[0], rng)]:
        assert streamable(arch) is None
        assert space.canonical(arch) == arch
        assert space.build(space.choices_of(arch)) == arch


def test_a_small_streaming_space_is_counted() -> None:
    whole = SearchSpace.preset("tiny").streaming()
    first = replace(whole.stages[0], depth=(1,), width=(16,))
    few = replace(whole, stem_width=(8,), head_width=(0,), stages=(first, *whole.stages[1:]))
    archs = set(few)
    assert len(archs) == few.size > 1000 and all(streamable(arch) is None for arch in archs)


def test_what_streams_may_pool_over_less() -> None:
    windows = SearchSpace.preset("tiny")
    assert "pool_s" not in windows.dimensions
    assert {arch.pool_s for arch in itertools.islice(windows, 20)} == {8}
    assert windows.streaming().dimensions["pool_s"] == (4, 6, 8)
    own = replace(windows, pool_s=(2, 8))
    assert own.streaming().dimensions["pool_s"] == own.dimensions["pool_s"] == (2, 8)
    assert own.size == 2 * windows.size
    with pytest.raises(SpaceError, match="pool_s holds 3; allowed: 2, 4, 6, 8"):
        replace(windows, pool_s=(3,))


def test_a_space_of_maxima_cannot_stream() -> None:
    with pytest.raises(SpaceError, match="streaming pools by avg; add it, or choose `mode`"):
        replace(SearchSpace.preset("tiny"), pooling=("max",)).streaming()


@torch.no_grad()
def test_readings_of_a_pass_are_those_of_windows_with_their_past() -> None:
    torch.manual_seed(0)
    for name in ("tiny", "medium", "large", "medium-4s"):
        arch = published(name)
        network, block = Network(arch).eval(), 2 * arch.rate_hz
        past = past_blocks(arch)
        x = torch.randn(1, 4, (past + 7) * block)
        read = network.read(x[0])
        assert read.shape == (past + 4, 180)
        torch.testing.assert_close(read[:1], network(x[..., : 4 * block]), atol=1e-4, rtol=1e-4)
        for late in range(4):
            stretch = x[..., late * block : (late + past + 4) * block]
            expected = network(stretch)
            found = read[past + late : past + late + 1]
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        less = network(x[..., (past - 1) * block : (past + 4) * block])
        assert not torch.allclose(less, network(x[..., : (past + 4) * block]), atol=1e-4)


def test_features_are_those_of_the_window() -> None:
    x = torch.randn(2, 4, 14 * 16)
    for arch in (TINY, published("tiny-4s")):
        network = Network(arch).eval()
        logits, seen = network.view(x)
        assert seen.shape == (2, 20, 128)
        torch.testing.assert_close(logits, network(x))
