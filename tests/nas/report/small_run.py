"""Parts of a made-up run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.report.loading import Finalist, Predictions, RunData
from nas.run.candidates import Candidate
from nas.run.config import Budgets, SearchConfig
from tests.nas.run.made import (
    made_candidates,
    made_card,
    run_document,
)


def finalist(*, number: int = 1, predictions: Predictions | None = None, **card: Any) -> Finalist:
    return Finalist(number, made_card(finalist=number, **card), predictions)


def small(*candidates: Candidate, budgets: Budgets | None = None, **parts: Any) -> RunData:
    document = run_document(config=SearchConfig(budgets=budgets or Budgets(flash_bytes=4096)))
    search = replace(made_candidates(), candidates=candidates) if candidates else None
    return RunData(Path("run"), document, search, **parts)
