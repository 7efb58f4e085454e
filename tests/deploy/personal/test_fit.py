"""Learning and its guard, on wearers that are made up."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.personal.fit import (
    SETTINGS,
    check_count,
    judge,
    label_q15,
    learn,
    order,
    probabilities_q15,
)
from deploy.personal.head import Head, head_of
from deploy.personal.kinds import KINDS, Kind, change_of
from deploy.personal.prior import class_prior, prior_biases
from deploy.personal.weights import WEIGHT_BITS, weights
from ppg.readout.classes import soft_labels
from ppg.readout.decode import probabilities
from ppgnas.errors import DataError
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
    return float(-(soft_labels(labels / 256) * np.log(p)).sum(axis=1).mean())


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
        found = judge(head, *change.fold(parts), features[80:], labels[80:])
        assert found.kept and found.after_bpm < 0.95 * found.before_bpm


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


def test_the_guard_keeps_a_head_only_beyond_one_standard_error() -> None:
    """Biases that favour one class make every reading that class."""
    head = head_of(random_net(DENSE))
    features, _ = windows_of_wearer(head, 40)
    biases = head.biases - 100_000
    biases[50] += 200_000  # 80 BPM
    own = head.weights * 0
    right = judge(head, own, biases, features, np.full(40, 256 * 80))
    assert right.kept and right.after_bpm < 0.1 < right.before_bpm
    wrong = judge(head, own, biases, features, np.full(40, 256 * 200))
    assert not wrong.kept and wrong.after_bpm == pytest.approx(120, abs=0.1)
    same = judge(head, head.weights, head.biases, features, np.full(40, 256 * 80))
    assert not same.kept and same.after_bpm == same.before_bpm == right.before_bpm


def test_errors_of_the_guard_are_expected_ones() -> None:
    head = head_of(random_net(SPACED))
    features, labels = windows_of_wearer(head, 40)
    f = features.astype(np.int64) - head.feature_zero
    stored = head.logits(f, head.weights, head.biases)
    p = probabilities((stored.astype(float) - head.logit_zero) * head.logit_scale)
    away = np.abs(30 + np.arange(180) - labels[:, None] / 256)
    seen = judge(head, head.weights, head.biases, features, labels).before_bpm
    assert seen == pytest.approx((p * away).sum(axis=1).mean(), rel=6e-3)


@pytest.mark.parametrize("falls", [[5, 5, 5, 4], [9, 0, 0, 0], [9, 1, 0, 0], [-3, -3, -4, -3]])
def test_one_standard_error_in_whole_numbers(falls: list[int]) -> None:
    """The guard's comparison is that of the mean with its standard error."""
    fall = np.array(falls)
    error = fall.std(ddof=1) / np.sqrt(len(fall))
    whole = fall.sum() > 0 and fall.sum() ** 2 > (fall**2).sum()
    assert whole == (fall.mean() > error + 1e-12)


def test_few_windows_are_refused() -> None:
    assert check_count(20) == 4
    with pytest.raises(DataError, match="19 windows with a heart rate to learn from; at least 20"):
        check_count(19)


@pytest.mark.parametrize("arch", BOTH.values(), ids=BOTH)
def test_a_prior_multiplies_probabilities(arch: object) -> None:
    head = head_of(random_net(arch))  # type: ignore[arg-type]
    features, _ = windows_of_wearer(head, 30)
    prior = class_prior([70.0] * 50 + [95.0] * 50)
    assert prior.sum() == pytest.approx(1) and 35 < prior.argmax() < 70
    f = features.astype(np.int64) - head.feature_zero

    def read(biases: np.ndarray) -> np.ndarray:
        stored = head.logits(f, head.weights, biases)
        return probabilities((stored.astype(float) - head.logit_zero) * head.logit_scale)

    expected = read(head.biases) * prior
    expected /= expected.sum(axis=1, keepdims=True)
    seen = read(prior_biases(head, prior))
    assert np.abs(seen - expected).max() < 0.15 * expected.max()
