"""Made-up documents of a run."""

from __future__ import annotations

from typing import Any

from hwmodels.costs import Costs
from nas.run.candidates import Candidate, Candidates
from nas.run.config import Budgets, SearchConfig
from nas.run.run_toml import RunDocument
from ppg.people.split import Split
from ppg.readout.transitions import Transitions
from search_spaces.space import SearchSpace


def run_document(**changes: Any) -> RunDocument:
    """What `run.toml` holds right after a search began."""
    known: dict[str, Any] = {
        "config": SearchConfig(Budgets(flash_bytes=81920)),
        "version": "0.1.0",
        "command": "ppgnas search --budget 80KB",
        "created": "2026-11-21T02:00:00+00:00",
        "space_size": "7680",
        "synthetic": True,
        "fingerprint": "sha256:12",
        "front_end": "slope-1",
        "recipe": "aligned-1",
        "recordings": 3,
        "people": 3,
        "split": Split(("a/1",), ("a/2",), ("a/3",)),
        "smoothing": Transitions(),
        "versions": {"ppgnas": "0.1.0", "python": "3.11.7"},
    }
    return RunDocument(**{**known, **changes})


def made_candidates() -> Candidates:
    """Two candidates, of which the larger one does not fit."""
    space = SearchSpace.preset("tiny")
    small = Costs(0.75, 41000.4, 9000.6, 1.25, 0.125, 3000, 150000)
    large = Costs(7.5, 91000.0, 19000.0, 2.25, 1.125, 30000, 1500000)
    return Candidates(
        objectives=("mae", "latency"),
        budgets=Budgets(flash_bytes=81920),
        board="stm32h743",
        engine="ppgnas-c",
        synthetic=True,
        reference_point={"mae_bpm": 30.0, "latency_ms": 10.0},
        candidates=(
            Candidate(0, space.smallest(), small, True, 4.5, 0.25, on_front=True, finalist=1),
            Candidate(1, space.largest(), large, False, None, 0.25),
        ),
    )
