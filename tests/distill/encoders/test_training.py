from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deploy.integers import reference
from distill.encoders.compact import compact_arch, ends_of
from distill.encoders.files import embed, load_encoder
from distill.encoders.job import Job
from distill.encoders.objectives import Aligned
from distill.encoders.training import Ground, pretrain, to_integers
from distill.encoders.transformer import EncoderShape
from ppg.segments.cut import SAMPLES
from ppg.segments.draw import SegmentBank
from ppg.segments.shards import Shards, open_shards, write_shards
from ppg.synthetic.recordings import synthesize
from ppgnas.errors import BudgetError, RunError
from search_spaces.lower import lower
from search_spaces.space import SearchSpace
from tests.distill.killing import silent

TINY = EncoderShape(1, patch=96, width=8, blocks=1, heads=2)
TEACHER = Job(sensor="ppg", method="masked", shape=TINY, steps=3, batch=8)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Shards:
    return write_shards(synthesize(people=3, minutes=1.0), tmp_path_factory.mktemp("shards"))


@pytest.fixture
def ground(shards: Shards) -> Ground:
    people = shards.people
    return Ground(shards.folder, shards.rows_of(people[:2]), people[:2], people[2:])


@pytest.mark.parametrize("method", ["masked", "contrast"])
def test_a_stopped_training_goes_on_to_the_same_weights(
    method: str, ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.encoders.training.CHECKPOINT_EVERY", 1)
    job = replace(TEACHER, method=method)  # type: ignore[arg-type]
    whole = pretrain(job, ground, tmp_path / "whole.safetensors", progress=silent)

    def stop(done: int, total: int, note: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    path = tmp_path / "stopped.safetensors"
    with pytest.raises(KeyboardInterrupt):
        pretrain(job, ground, path, progress=stop)
    with pytest.raises(RunError, match="2 of 3 steps are done; finish it first"):
        load_encoder(path)
    seen: list[int] = []
    again = pretrain(job, ground, path, progress=lambda done, _, __: seen.append(done))
    assert seen == [3]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_a_student_is_aligned_and_stored_with_its_teacher(ground: Ground, tmp_path: Path) -> None:
    pretrain(TEACHER, ground, tmp_path / "ppg.safetensors", progress=silent)
    teacher = load_encoder(tmp_path / "ppg.safetensors")
    job = Job(sensor="acc", method="aligned", shape=replace(TINY, channels=3), steps=2, batch=8)
    taught = replace(ground, teacher=teacher.encoder)
    pretrain(job, taught, tmp_path / "acc.safetensors", progress=silent)
    stored = load_encoder(tmp_path / "acc.safetensors")
    assert stored.facts.people == ground.people
    assert stored.facts.held_out == ground.held_out
    assert isinstance(stored.module, Aligned)
    for name, value in teacher.encoder.state_dict().items():
        assert torch.equal(value, stored.module.teacher.state_dict()[name])
    assert embed(stored.encoder, torch.randn(3, 3, SAMPLES)).shape == (3, 8)


def test_a_compact_student_becomes_integers(ground: Ground, tmp_path: Path) -> None:
    teacher = TEACHER.encoder()[0]
    arch = compact_arch(SearchSpace.preset("default"), 2048, channels=3, seed=0)
    graph = lower(arch, ends_of(3))
    assert graph.total_weight_bytes <= 2048
    assert graph.shape(graph.input) == (1, 1, SAMPLES, 3)
    job = Job(sensor="acc", method="aligned", arch=arch, steps=2, batch=8)
    taught = replace(ground, teacher=teacher)  # type: ignore[arg-type]
    module = pretrain(job, taught, tmp_path / "float.safetensors", progress=silent)
    assert isinstance(module, Aligned)
    qat = to_integers(job, module, taught, tmp_path / "int8.safetensors", progress=silent)
    net = qat.quantized()
    shards = open_shards(ground.folder)
    x = SegmentBank(shards, ground.rows).pairs(ground.rows[:4]).acc
    scale, zero = net.activations[net.graph.output]
    read = scale * (reference.run(net, net.quantize_input(x), rule="c").astype(float) - zero)
    with torch.no_grad():
        simulated = qat(torch.from_numpy(x)).numpy()
    assert np.abs(read - simulated).max() <= 4 * scale


def test_what_is_too_small_is_refused() -> None:
    with pytest.raises(BudgetError, match=r"`size` is 100 B, and no encoder of the space tiny"):
        compact_arch(SearchSpace.preset("tiny"), 100, channels=3, seed=0)


def test_what_is_no_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no such encoder; pass a file of `ppgnas pretrain`"):
        load_encoder(tmp_path / "nothing.safetensors")
