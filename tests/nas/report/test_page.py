"""What is left of a limit, in words."""

from __future__ import annotations

import pytest

from nas.report.page import left_words


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.38, "38 % left"),
        (0.0, "0 % left"),
        (1.0, "100 % left"),
        (0.00001, "0.1 % left"),
        (0.004, "0.4 % left"),
        (0.9999, "99.9 % left"),
        (-0.12, "12 % over"),
        (-0.00001, "0.1 % over"),
        (-0.9999, "100 % over"),
        (-48.6, "4,860 % over"),
    ],
)
def test_what_is_left_of_a_limit(share: float, said: str) -> None:
    assert left_words(share) == said
