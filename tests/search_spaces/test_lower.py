"""Lowering: legal graphs, views, causal padding."""

from __future__ import annotations

import random
from dataclasses import replace
from math import prod

import pytest

from hwmodels.graph import Graph
from ppgnas.errors import SpaceError
from search_spaces.arch import Arch, StageArch
from search_spaces.lower import lower
from search_spaces.space import SearchSpace


def test_a_small_network_by_hand() -> None:
    arch = Arch(True, 32, 8, 9, (StageArch(2, 8, 5, 4, 1, 1, True),), "avg", 0)
    graph = lower(arch)
    assert [layer.name for layer in graph.layers] == [
        "stem.pad", "stem", "stage0.block0.view", "stage0.block0.depthwise.pad",
        "stage0.block0.depthwise", "stage0.block0.project", "stage0.block0.add",
        "stage0.block1.depthwise.pad", "stage0.block1.depthwise", "stage0.block1.project",
        "stage0.block1.add", "pool", "head",
    ]  # fmt: skip
    by_name = {layer.name: layer for layer in graph.layers}
    assert by_name["stem.pad"].pads == (0, 0, 7, 0)  # 256 + 7 = 127 * 2 + 9
    assert graph.shape("stem") == (1, 1, 128, 8)
    assert graph.shape("stage0.block0.view") == (1, 32, 4, 8)
    assert by_name["stage0.block0.depthwise"].kernel == (5, 1)
    assert by_name["stage0.block0.depthwise.pad"].pads == (4, 0, 0, 0)
    assert graph.macs(by_name["stem"]) == 128 * 8 * 9 * 4
    assert graph.macs(by_name["stage0.block0.depthwise"]) == 128 * 8 * 5
    assert graph.macs(by_name["stage0.block0.project"]) == 128 * 64
    assert graph.macs(by_name["head"]) == 8 * 180
    assert graph.weight_bytes(by_name["head"]) == 8 * 180 + 4 * 180


def test_a_spaced_head_by_hand() -> None:
    arch = Arch(True, 16, 8, 9, (StageArch(1, 8, 5, 1, 1, 1, False),), "avg", 0, 9)
    graph = lower(arch)
    assert [(layer.name, layer.op) for layer in graph.layers[-5:]] == [
        ("pool", "avg_pool"),
        ("head", "fully_connected"),
        ("upsample.view", "reshape"),
        ("upsample", "conv"),
        ("logits", "reshape"),
    ]
    assert graph.shape("head") == (1, 20)
    assert graph.shape("upsample") == (1, 1, 20, 9)
    by_name = {layer.name: layer for layer in graph.layers}
    assert graph.weight_bytes(by_name["head"]) == 8 * 20 + 4 * 20
    assert graph.weight_bytes(by_name["upsample"]) == 3 * 9 + 4 * 9
    assert graph.macs(by_name["upsample"]) == 20 * 9 * 3


def test_a_pool_over_the_newest_seconds_by_hand() -> None:
    arch = Arch(True, 16, 8, 9, (StageArch(1, 8, 5, 2, 1, 1, False),), "avg", 0)
    assert "pool_s" not in arch.to_json()
    newest = replace(arch, pool_s=2)
    assert newest.id != arch.id and Arch.from_json(newest.to_json()) == newest
    graph = lower(newest)
    assert [layer.name for layer in graph.layers[-4:]] == ["newest.view", "newest", "pool", "head"]
    assert graph.layers[-3].rows[2] == (96, 128, 1)  # 2 s of 8 at 16 Hz
    assert graph.shape("newest") == (1, 1, 32, 8) and graph.layers[-2].kernel == (1, 32)
    assert [layer.name for layer in lower(arch).layers[-2:]] == ["pool", "head"]
    with pytest.raises(SpaceError, match=r"pool_s is 5; allowed: \(2, 4, 6, 8\)"):
        replace(arch, pool_s=5)


def test_a_head_without_spacing_keeps_its_id_and_its_document() -> None:
    arch = Arch(True, 16, 8, 9, (StageArch(1, 8, 5, 1, 1, 1, False),), "avg", 0)
    assert "head_spacing" not in arch.to_json()
    assert arch.id == "79732c1791"  # what the version before spacings gave
    spaced = replace(arch, head_spacing=9)
    assert Arch.from_json(spaced.to_json()) == spaced
    assert Arch.from_json(arch.to_json()) == arch
    with pytest.raises(SpaceError, match=r"head_spacing is 7; allowed: \(1, 2, 3"):
        replace(arch, head_spacing=7)


def test_inner_channels_need_no_multiple_and_keep_older_ids() -> None:
    stage = StageArch(1, 8, 5, 1, 2, 1, False)
    arch = Arch(True, 16, 8, 9, (stage,), "avg", 0)
    assert "inner" not in arch.to_json()["stages"][0]
    assert arch.id == "2bf8ba99fe"  # what the version before inner channels gave
    narrow = replace(arch, stages=(replace(stage, inner=5),))
    assert Arch.from_json(narrow.to_json()) == narrow
    shapes = {layer.name: lower(narrow).weight_shape(layer) for layer in lower(narrow).layers}
    assert shapes["stage0.block0.expand"] == (5, 1, 1, 8)
    assert shapes["stage0.block0.depthwise"] == (1, 1, 5, 5)
    assert shapes["stage0.block0.project"] == (8, 1, 1, 5)
    with pytest.raises(SpaceError, match=r"stage 0 has inner 5 with expansion 1; only a block"):
        replace(arch, stages=(replace(stage, inner=5, expansion=1),))


def test_all_graphs_are_legal_and_survive_json(random_archs: list[Arch]) -> None:
    for arch in random_archs:
        graph = lower(arch)
        assert graph.shape("input") == (1, 1, arch.samples, arch.channels)
        assert graph.shape("logits") == (1, 180)
        assert graph.output == "logits"
        assert Graph.from_json(graph.to_json()) == graph
        for layer in graph.layers:
            if layer.op == "reshape":
                assert prod(graph.shape(layer.output)) == prod(graph.shape(layer.inputs[0]))
            assert layer.dilation == (1, 1)


def test_macs_and_weights_rise_with_every_width() -> None:
    space = SearchSpace.preset("default")
    rng = random.Random(7)
    for _ in range(200):
        arch = space.sample(rng)
        before = lower(arch)
        choices = space.choices_of(arch)
        name = rng.choice(["stem_width", "head_width", *(f"stage{n}.width" for n in range(3))])
        values = space.dimensions[name]
        at = values.index(choices[name])
        if at + 1 == len(values) or (name == "head_width" and at == 0):
            continue
        # an equal width may allow a shortcut, which adds a layer but no weights
        after = lower(space.build({**choices, name: values[at + 1]}))
        assert after.total_macs >= before.total_macs
        assert after.total_weight_bytes >= before.total_weight_bytes


def test_stride_keeps_the_newest_sample() -> None:
    base = Arch(False, 25, 4, 5, (StageArch(1, 4, 3, 1, 1, 2, False),), "max", 0)
    graph = lower(base)
    # 200 samples at stride 2: 100 outputs, the last window ends on the last sample
    pad = next(layer for layer in graph.layers if layer.name == "stem.pad")
    assert pad.pads == (0, 0, 99 * 2 + 5 - 200, 0)
    assert graph.shape("stage0.block0.depthwise") == (1, 1, 50, 4)
    assert lower(replace(base, pooling="avg")).layers[-2].op == "avg_pool"
