"""Which head is read, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.personal.choice import choose

TAUGHT = 256 * np.array([70, 90, 120])


def peaks(*bpm: int) -> NDArray[np.int8]:
    logits = np.full((len(bpm), 180), -100, np.int8)
    logits[np.arange(len(bpm)), np.array(bpm) - 30] = 50
    return logits


@pytest.mark.parametrize(
    ("factory", "adapted", "read"),
    [
        (150, 110, 110),  # the factory's leaves what was taught
        (50, 69, 69),  # both leave it, the adapted one less far
        (180, 150, 150),
        (100, 80, 100),  # both are within: the factory's stays
        (120, 119, 120),  # the ends are within
        (100, 180, 100),
        (150, 160, 150),
        (150, 40, 150),  # as far on the other side
    ],
)
def test_the_nearer_one_is_read(factory: int, adapted: int, read: int) -> None:
    found = choose(peaks(factory), peaks(adapted), TAUGHT)
    np.testing.assert_array_equal(found, peaks(read))


def test_of_equal_logits_the_lowest_class_counts() -> None:
    both = np.maximum(peaks(150), peaks(100))  # 100, within: it is not left
    np.testing.assert_array_equal(choose(both, peaks(90), TAUGHT), both)
