from __future__ import annotations

import math

import pytest
import torch

from distill.encoders.objectives import (
    HIDDEN,
    LARGEST_SCALE,
    Aligned,
    Masked,
    Scale,
    contrastive_loss,
    spread_loss,
    too_near,
)
from distill.encoders.transformer import EncoderShape, TransformerEncoder
from ppg.segments.cut import SAMPLES

SMALL = EncoderShape(1, patch=96, width=8, blocks=1, heads=2)


def test_infonce_by_hand() -> None:
    left = torch.eye(2)
    right = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    free = torch.zeros(2, 2, dtype=torch.bool)
    # scale 2: rows (1.2, 0) and (1.6, 2); columns (1.2, 1.6) and (0, 2)
    rows = [math.log(math.exp(1.2) + 1) - 1.2, math.log(math.exp(1.6) + math.exp(2)) - 2]
    columns = [math.log(math.exp(1.2) + math.exp(1.6)) - 1.2, math.log(1 + math.exp(2)) - 2]
    wanted = (sum(rows) / 2 + sum(columns) / 2) / 2
    assert contrastive_loss(left, right, torch.tensor(2.0), free).item() == pytest.approx(wanted)
    excluded = ~torch.eye(2, dtype=torch.bool)
    assert float(contrastive_loss(left, right, torch.tensor(2.0), excluded)) == 0.0


def test_near_segments_of_a_recording_are_no_negatives() -> None:
    near = too_near(torch.tensor([0, 0, 0, 1]), torch.tensor([0.0, 50.0, 60.0, 0.0]))
    assert near.int().tolist() == [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_spread_is_the_logarithm_of_the_nearest_distance() -> None:
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert float(spread_loss(x)) == pytest.approx(-math.log(math.sqrt(2)), abs=1e-4)
    assert float(spread_loss(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))) > 5


def test_the_scale_is_held() -> None:
    scale = Scale()
    assert scale().item() == pytest.approx(1 / 0.07, rel=1e-5)
    with torch.no_grad():
        scale.log.fill_(50.0)
    assert scale().item() == pytest.approx(LARGEST_SCALE, rel=1e-5)


def test_the_teacher_is_frozen_and_both_projections_learn() -> None:
    torch.manual_seed(0)
    module = Aligned(TransformerEncoder(SMALL), 8, TransformerEncoder(SMALL), 8)
    x = torch.randn(4, 1, SAMPLES)
    module.loss(x, x.flip(0), torch.zeros(4, 4, dtype=torch.bool)).backward()
    assert all(each.grad is None for each in module.teacher.parameters())
    for part in (module.encoder, module.projection, module.teacher_projection, module.scale):
        assert all(each.grad is not None for each in part.parameters())


def test_a_patch_says_how_strong_and_how_fast_whatever_its_phase() -> None:
    shape = EncoderShape(2, patch=64, width=8, blocks=1, heads=2, spectra=True)
    encoder = TransformerEncoder(shape)
    at = torch.arange(SAMPLES) / 32
    seen = []
    for phase in (0.0, 1.0):  # 2 Hz, for 15 s alone, on one of two axes
        x = torch.zeros(1, 2, SAMPLES)
        x[0, 1] = torch.sin(2 * math.pi * 2.0 * at + phase) * (at < 15)
        seen.append(encoder._spectra(encoder.cut(x))[0])
    # (tokens, bins), bins of half a hertz from half a hertz on
    assert seen[0].shape == (15, 10) and seen[0][:7].argmax(dim=1).eq(3).all()
    # Half of a sine's amplitude turns each way, so a quarter of its square is in the bin.
    assert seen[0][0, 3].item() == pytest.approx(math.log(0.25 + 1e-3) / 3, abs=1e-3)
    torch.testing.assert_close(seen[0][:7], seen[1][:7], atol=1e-2, rtol=0)
    assert seen[0][8:].eq(seen[0][8, 0]).all()


def test_an_embedding_says_when() -> None:
    shape = EncoderShape(1, patch=64, width=8, blocks=1, heads=2, times=3)
    encoder = TransformerEncoder(shape)
    x = torch.randn(2, 1, SAMPLES)
    assert encoder.dimensions == 8 + 3 * 15 and encoder(x).shape == (2, encoder.dimensions)
    tokens = encoder.tokens(x)
    assert encoder.times is not None
    torch.testing.assert_close(encoder(x)[:, 8 + 3 * 4 : 8 + 3 * 5], encoder.times(tokens[:, 4]))
    with pytest.raises(ValueError, match="an embedding holds 0 to 64 numbers of each patch"):
        EncoderShape(1, times=-1)


def test_hidden_patches_are_unseen_and_alone_count() -> None:
    torch.manual_seed(0)
    module = Masked(TransformerEncoder(SMALL))
    x = torch.randn(2, 1, SAMPLES)
    order = torch.stack([torch.randperm(SMALL.tokens) for _ in range(2)])
    seen = order[:, : round((1 - HIDDEN) * SMALL.tokens)]
    changed = x.clone()
    hidden = order[0, -1]
    changed[0, 0, hidden * 96 : (hidden + 1) * 96] += torch.randn(96)
    before, after = (module.encoder.tokens(each, seen) for each in (x, changed))
    assert torch.equal(before, after)
    assert module.loss(x, order) != module.loss(changed, order)
    # A prediction of zero errs by the variance of what is normalised.
    for part in (module.samples.weight, module.samples.bias):
        torch.nn.init.zeros_(part)
    assert module.loss(x, order).item() == pytest.approx(95 / 96, abs=1e-3)
