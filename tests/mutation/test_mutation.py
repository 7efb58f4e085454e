"""Whatever happened to a file, a verb refuses it in one message and harms nothing.

5,000 inputs, with counts: `python -m tests.mutation --inputs 5000 --seed 0`.
"""

from __future__ import annotations

import pytest

from tests.mutation.harness import run


@pytest.mark.slow
def test_a_thousand_damaged_files() -> None:
    results = list(run(1000, seed=7))
    assert len(results) == 1000
    missed = [result for result in results if result["missed"]]
    assert not missed, "\n".join(f"{r['number']}: {r['missed']}" for r in missed)
    codes = {result["code"] for result in results}
    assert {0, 2} <= codes
