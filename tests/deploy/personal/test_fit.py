"""Learning and its guard, on wearers that are made up."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.personal.fit import (
    SETTINGS,
    errors,
    fitted,
    folds,
    guard_of,
    label_q15,
    learn,
    order,
    probabilities_q15,
)
from deploy.personal.head import WEIGHT_BITS, Head, head_of, weights
from deploy.personal.kinds import KINDS, Kind, change_of
from deploy.personal.prior import class_prior, prior_biases
from ppg.readout.classes import soft_labels
from ppg.readout.decode import probabilities
from ppgnas.errors import DataError
from ppgnas.task import Task
from tests.deploy.device.c_device import random_logits
from tests.deploy.personal.shared import BOTH, DENSE, SPACED, random_net, windows_of_wearer


def cross_entropy(
    head: Head,
    own: NDArray[np.int64],
    biases: NDArray[np.int64],
    features: NDArray[np.int8],
    labels: NDArray[np.int64],
) -> float:
    """The loss whose gradient is p - q, in float."""
    stored = head.logits(features.astype(np.int64) - head.feature_zero, own, biases)
    p = probabilities((stored.astype(float) - head.logit_zero) * head.logit_scale)
    return float(-(soft_labels(labels / 256, head.task) * np.log(p)).sum(axis=1).mean())


def test_probabilities_and_labels() -> None:
    logits = random_logits(50, seed=3)
    for row, exact in zip(weights(logits, 2**22), probabilities(logits * 0.17329), strict=True):
        p = probabilities_q15(row >> (WEIGHT_BITS - 30))
        np.testing.assert_allclose(p / 2**15, exact, atol=1e-4)
    for bpm in (30.0, 71.25, 209.0):
        q = label_q15(round(256 * bpm))
        np.testing.assert_allclose(q / 2**15, soft_labels(np.array([bpm]))[0], atol=1e-4)


@pytest.mark.parametrize("windows", [16, 17, 100, 118, 360])
def test_each_window_once_and_neighbours_apart(windows: int) -> None:
    found = order(windows)
    assert sorted(found) == list(range(windows))
    assert min(abs(a - b) for a, b in pairwise(found)) > 3


@pytest.mark.parametrize("arch", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("kind", KINDS)
def test_a_wearer_is_learnt(arch: object, kind: Kind) -> None:
    head = head_of(random_net(arch))  # type: ignore[arg-type]
    features, labels = windows_of_wearer(head, 100)
    change = change_of(kind, head)
    settings = replace(SETTINGS[kind], rounds=3)
    parts = learn(head, change, features[:80], labels[:80], settings=settings)
    for part, limit in zip(parts, change.limits, strict=True):
        assert 0 < np.abs(part).max() <= limit
    before = cross_entropy(head, head.weights, head.biases, features[:80], labels[:80])
    assert cross_entropy(head, *change.fold(parts), features[:80], labels[:80]) < before
    if kind in ("head", "low-rank"):  # which heart rate it is, biases cannot say
        _, _, found = fitted(head, kind, features, labels)
        assert found.kept and found.after_bpm < 0.95 * found.before_bpm
        assert found.windows == 100


def test_the_pull_takes_changes_back() -> None:
    head = head_of(random_net(SPACED))
    features, labels = windows_of_wearer(head, 60)
    change = change_of("bias", head)
    sizes = []
    for pull in (0, 2**15):
        settings = replace(SETTINGS["bias"], rounds=3, pull=pull)
        (part,) = learn(head, change, features, labels, settings=settings)
        sizes.append(np.abs(part).sum())
    assert sizes[1] < 0.6 * sizes[0]


def test_errors_of_a_head_that_always_says_80() -> None:
    """Biases that favour one class make every reading that class."""
    head = head_of(random_net(DENSE))
    features, _ = windows_of_wearer(head, 40)
    biases = head.biases - 100_000
    biases[80 - head.task.lowest_bpm] += 200_000
    own = head.weights * 0, biases
    for bpm, error in ((80, 0), (190, 110)):
        seen = errors(head, own, features, np.full(40, 256 * bpm)) / 2**12
        np.testing.assert_allclose(seen, error, atol=0.1)


def test_errors_of_the_guard_are_expected_ones() -> None:
    head = head_of(random_net(SPACED))
    features, labels = windows_of_wearer(head, 40)
    f = features.astype(np.int64) - head.feature_zero
    stored = head.logits(f, head.weights, head.biases)
    p = probabilities((stored.astype(float) - head.logit_zero) * head.logit_scale)
    away = np.abs(30 + np.arange(180) - labels[:, None] / 256)
    seen = errors(head, (head.weights, head.biases), features, labels).mean() / 2**12
    assert seen == pytest.approx((p * away).sum(axis=1).mean(), rel=6e-3)


@pytest.mark.parametrize("falls", [[5] * 10, [9, 0] * 5, [9, 8, 9, 0] * 4, [-3, -3, -4, -3] * 4])
def test_three_standard_errors_in_whole_numbers(falls: list[int]) -> None:
    """Of the mean, from the mean of squares: of the falls about nothing, not about their mean."""
    fall = np.array(falls)
    error = np.sqrt((fall**2).mean() / len(fall))
    guard = guard_of(4096 * (fall + 20), np.full(len(fall), 4096 * 20))
    assert guard.kept == (fall.mean() > 3 * error)
    assert (guard.before_bpm, guard.after_bpm) == (20 + fall.mean(), 20)


def test_folds_read_each_window_once_and_share_no_sample_with_what_taught() -> None:
    found = folds(23)
    assert np.concatenate([read for _, read in found]).tolist() == list(range(23))
    for taught, read in found:
        # Windows of 8 s begin 2 s apart.
        assert np.abs(taught[:, None] - read).min() == 4
        assert len(taught) >= 23 - 5 - 6
    for taught, read in folds(23, Task(12, 4)):
        assert np.abs(taught[:, None] - read).min() == 3


def test_few_windows_are_refused() -> None:
    with pytest.raises(DataError, match="19 windows with a heart rate to learn from; at least 20"):
        folds(19)


@pytest.mark.parametrize("arch", BOTH.values(), ids=BOTH)
def test_a_prior_multiplies_probabilities(arch: object) -> None:
    head = head_of(random_net(arch))  # type: ignore[arg-type]
    features, _ = windows_of_wearer(head, 30)
    prior = class_prior([70.0] * 50 + [95.0] * 50, head.task)
    assert prior.sum() == pytest.approx(1) and 65 < head.task.lowest_bpm + prior.argmax() < 100
    f = features.astype(np.int64) - head.feature_zero

    def read(biases: np.ndarray) -> np.ndarray:
        stored = head.logits(f, head.weights, biases)
        return probabilities((stored.astype(float) - head.logit_zero) * head.logit_scale)

    expected = read(head.biases) * prior
    expected /= expected.sum(axis=1, keepdims=True)
    seen = read(prior_biases(head, prior))
    assert np.abs(seen - expected).max() < 0.15 * expected.max()
