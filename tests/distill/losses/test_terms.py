"""Terms against a case computed by hand, torch's own formulas, and numerical gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import wasserstein_distance
from torch import Tensor

from distill.losses.distributions import (
    dist,
    dkd,
    fit_temperature,
    hard,
    label_loss,
    parts,
    soft,
    standard,
)
from distill.losses.features import attention, feature, relation, shortened
from distill.losses.line import bounded, expected_bpm, huber, mse, pulse, rps, w1

# Four classes, the label the first; figures were worked out apart from this code.
T = torch.tensor([[2.0, 1.0, 0.0, -1.0]], dtype=torch.float64)
S = torch.tensor([[1.0, 1.0, 2.0, 0.0]], dtype=torch.float64)
LABEL = torch.tensor([0])


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-6)


def test_label_loss_of_a_uniform_guess_is_log_classes() -> None:
    labels = torch.eye(4)[:2]
    assert label_loss(torch.zeros(2, 4), labels).item() == pytest.approx(math.log(4))


def test_temperature_undoes_a_known_overconfidence() -> None:
    torch.manual_seed(0)
    honest = 2 * torch.randn(4000, 10)
    labels = torch.eye(10)[torch.multinomial(torch.softmax(honest, 1), 1)[:, 0]]
    assert fit_temperature(3 * honest, labels) == pytest.approx(3.0, rel=0.1)


def test_the_case_by_hand() -> None:
    assert soft(S, T).item() == near(0.623901)
    assert soft(S, T, t=2).item() == near(0.680677)
    assert standard(S, T).item() == near(0.574005)
    assert w1(S, T).item() == near(0.975146)
    assert rps(S, T).item() == near(0.439429)
    assert hard(S, T).item() == near(-math.log(0.196612))
    single = dkd(S, T, LABEL, k=0, t=1, alpha=1, beta=0), dkd(S, T, LABEL, k=0, t=1, alpha=0)
    assert single[0].item() == near(0.474162)
    assert single[1].item() == near(2 * 0.420512)
    pair, outside, inside = parts(S, T, torch.tensor([[True, True, False, False]]))
    assert (pair.item(), outside.item(), inside.item()) == tuple(
        map(near, (0.516334, 0.082608, 0.110944))
    )


def test_means_of_the_case_by_hand() -> None:
    """The means are classes 0.507347 and 1.482494; a class is 1 BPM and the first is 30."""
    s, t = 31.482494, 30.507347
    assert expected_bpm(S).item() == near(s) and expected_bpm(T).item() == near(t)
    y = torch.tensor([31.0], dtype=torch.float64)
    assert mse(S, y).item() == near((s - 31) ** 2)
    assert huber(S, y).item() == near((s - 31) ** 2 / 2)
    assert huber(S, y, delta=0.1).item() == near(0.1 * (s - 31 - 0.05))
    square = float((S.softmax(1) - T.softmax(1)).square().mean())
    expected = 0.667 * (0.5 * (s - 31) + 0.5 * (s - t)) + 0.333 * square
    assert pulse(S, T, y).item() == near(expected)
    smooth = (s - 31) ** 2 / 2
    assert bounded(S, T, y).item() == near(smooth)  # the student is nearer than its teacher
    assert bounded(S, T, y, m=0.1).item() == near(smooth + 0.5 * (s - 31) ** 2)


def _logits(seed: int, batch: int = 6, classes: int = 9) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(batch, classes, generator=rng, dtype=torch.float64)


def test_parts_make_up_the_whole_divergence() -> None:
    student, teacher = _logits(0), _logits(1)
    p = teacher.softmax(1)
    whole = (p * (teacher.log_softmax(1) - student.log_softmax(1))).sum(1)
    for k in (0, 2):
        group = (torch.arange(9) - torch.arange(6)[:, None]).abs() <= k
        pair, outside, inside = parts(student, teacher, group)
        share = (p * group).sum(1)
        torch.testing.assert_close(pair + (1 - share) * outside + share * inside, whole)
    assert not inside.allclose(torch.zeros(6, dtype=torch.float64))


def test_decoupled_parts_are_finite_where_probabilities_vanish() -> None:
    student = torch.tensor([[300.0, -300.0, -300.0, 0.0]], requires_grad=True)
    loss = dkd(student, -student.detach(), LABEL, k=1, t=1)
    torch.autograd.backward(loss)
    assert student.grad is not None and loss.isfinite() and student.grad.isfinite().all()


def test_distance_on_the_line_is_that_of_scipy() -> None:
    student, teacher = _logits(2), _logits(3)
    places = np.arange(9)
    expected = [
        wasserstein_distance(places, places, s.softmax(0).numpy(), t.softmax(0).numpy())
        for s, t in zip(student, teacher, strict=True)
    ]
    assert w1(student, teacher).item() == pytest.approx(np.mean(expected))


def test_standard_forgets_range_and_offset() -> None:
    teacher = _logits(4)
    assert standard(0.1 * teacher + 5, teacher).item() == pytest.approx(0, abs=1e-6)
    assert soft(0.1 * teacher + 5, teacher).item() > 0.5


def test_dist_is_numpy_s_correlation() -> None:
    student, teacher = _logits(5), _logits(6)
    p_s, p_t = student.softmax(1).numpy(), teacher.softmax(1).numpy()

    def away(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([1 - np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]))

    expected = 2 * away(p_s, p_t) + 3 * away(p_s.T, p_t.T)
    assert dist(student, teacher, beta=2, gamma=3).item() == pytest.approx(expected, rel=1e-6)


def _features(seed: int, channels: int, steps: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(5, channels, steps, generator=rng, dtype=torch.float64)


def test_feature_of_each_channel_s_mean_is_one_and_of_equals_nothing() -> None:
    teacher = 7 + 3 * _features(0, 4, 8)
    assert feature(torch.zeros(5, 4, 8, dtype=torch.float64), teacher).item() == pytest.approx(1)
    mean, deviation = teacher.mean((0, 2), keepdim=True), teacher.std((0, 2), False, keepdim=True)
    own = ((teacher - mean) / deviation).repeat_interleave(2, dim=2)  # twice as many steps
    assert feature(own, teacher).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("steps", "kept"), [(7, 7), (32, 16), (40, 16)])
def test_features_are_shortened_as_torch_pools(steps: int, kept: int) -> None:
    features = _features(0, 3, steps).transpose(1, 2).contiguous().transpose(1, 2)
    pooled = F.adaptive_avg_pool1d(features, kept)
    torch.testing.assert_close(shortened(features), pooled)


def test_attention_looks_at_where_the_energy_lies_alone() -> None:
    student = torch.zeros(1, 3, 4)
    student[0, 1, 0] = 5.0
    teacher = torch.zeros(1, 2, 2)
    teacher[0, 0, 0] = -1.0  # the first half, as the student
    assert attention(student, teacher).item() == 0
    teacher = teacher.flip(2)
    assert attention(student, teacher).item() == 1  # (1, 0) against (0, 1)


def test_relation_of_a_triangle() -> None:
    """Sides 3, 4, 5 against an even triangle; a turned and grown copy costs nothing."""
    right = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]], dtype=torch.float64)[..., None]
    even = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]], dtype=torch.float64)
    turned = 2 * right @ torch.ones(1, 1, dtype=torch.float64)
    turned = torch.stack([-turned[:, 1], turned[:, 0]], dim=1)
    assert relation(turned, right).item() == pytest.approx(0, abs=1e-12)
    distances = ((0.25**2 + 0 + 0.25**2) / 2) / 3
    assert relation(right, even[..., None], angles=0).item() == pytest.approx(distances * 25)
    angles = 2 * (0.5**2 + 0.1**2 + 0.3**2) / 2 / 27  # cosines 0, 3/5, 4/5 against 1/2
    found = relation(right, even[..., None], distances=0).item()
    assert found == pytest.approx(angles * 50)


Y = torch.tensor([33.2, 31.7, 36.1, 30.4, 37.9, 34.0], dtype=torch.float64)
MIDDLE = torch.tensor([3, 2, 6, 0, 8, 4])


@pytest.mark.parametrize(
    "loss",
    [
        lambda s: label_loss(s, _logits(1).softmax(1)),
        lambda s: hard(s, _logits(1)),
        lambda s: soft(s, _logits(1), t=2),
        lambda s: standard(s, _logits(1)),
        lambda s: dkd(s, _logits(1), MIDDLE),
        lambda s: dist(s, _logits(1)),
        lambda s: w1(s, _logits(1)),
        lambda s: rps(s, _logits(1)),
        lambda s: mse(s, Y),
        lambda s: huber(s, Y),
        lambda s: pulse(s, _logits(1), Y),
        lambda s: bounded(s, _logits(1), Y),
    ],
)
def test_gradients_of_logits(loss: Callable[[Tensor], Tensor]) -> None:
    assert torch.autograd.gradcheck(loss, _logits(0).requires_grad_())


@pytest.mark.parametrize(
    "loss",
    [
        lambda s: feature(s, _features(1, 3, 4)),
        lambda s: attention(s, _features(1, 5, 4)),
        lambda s: relation(s, _features(1, 5, 4)),
    ],
)
def test_gradients_of_features(loss: Callable[[Tensor], Tensor]) -> None:
    assert torch.autograd.gradcheck(loss, _features(0, 3, 8).requires_grad_())


def test_torch_s_own_formulas() -> None:
    student, teacher = _logits(7), _logits(8)
    kl = torch.nn.KLDivLoss(reduction="batchmean")(student.log_softmax(1), teacher.softmax(1))
    torch.testing.assert_close(soft(student, teacher), kl)
    labels = teacher.softmax(1)
    torch.testing.assert_close(label_loss(student, labels), F.cross_entropy(student, labels))
