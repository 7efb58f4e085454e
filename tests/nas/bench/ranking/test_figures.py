"""Scores against made-up truth, and the page of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nas.bench.ranking.figures import (
    DIMENSIONS,
    RankingFigures,
    ranking_figures,
    scores_of,
    trained_bpm,
)
from nas.bench.ranking.networks import Pair
from nas.bench.ranking.page import ranking_page
from nas.bench.ranking.run import Ranking
from tests.nas.bench.ranking.made import made_records
from tests.nas.run.made import run_document

RECORDS = made_records(12, "default")
PAIRS = [Pair("rate_hz", 0, 1), Pair("depth", 4, 2)]


@pytest.fixture(scope="module")
def found() -> RankingFigures:
    further = {"an order of mine": np.arange(12.0)}
    return ranking_figures(RECORDS, PAIRS, {**scores_of(RECORDS), **further})


def test_the_truth_is_the_mean_over_people_then_seeds() -> None:
    assert trained_bpm(RECORDS, "search") == pytest.approx(2 + np.arange(12) / 2)
    assert trained_bpm(RECORDS, "report") == pytest.approx(3 + np.arange(12) / 2)
    assert trained_bpm(RECORDS, "search", [1])[0] == pytest.approx(2.1)


def test_of_every_score_lower_is_better(found: RankingFigures) -> None:
    assert found.scores["first rung, expected error"]["search"].overall.tau.value == 1
    assert found.scores["first rung, decoded error"]["search"].overall.tau.value == 0
    assert found.scores["jacobian covariance"]["search"].overall.tau.value == 1
    assert found.scores["inherited error"]["search"].overall.tau.value == -1
    larger = scores_of(RECORDS)
    for name in ("parameters", "MACs", "latency"):
        assert np.argmin(larger[name]) == np.argmax([record.macs for record in RECORDS])


def test_a_score_of_ones_own_stands_beside_the_others(found: RankingFigures) -> None:
    own = found.scores["an order of mine"]["report"]
    assert own.overall.tau.value == own.small.tau.value == own.large.tau.value == 1
    assert set(own.within) == set(DIMENSIONS)
    assert {figure.value for figure in own.within.values()} == {1}
    assert own.pairs == (True, True)
    assert found.scores["first rung, decoded error"]["search"].pairs == (False, False)  # ties


def test_halves_are_halves_of_the_sizes() -> None:
    """A score that is right among the small and reversed among the large."""
    by_macs = np.argsort([record.macs for record in RECORDS])
    score = trained_bpm(RECORDS, "search").copy()
    score[by_macs[6:]] *= -1
    found = ranking_figures(RECORDS, [], {"half": score}).scores["half"]["search"]
    assert found.small.tau.value == 1
    assert found.large.tau.value == -1


def test_the_ceiling_is_one_where_seeds_and_people_agree(found: RankingFigures) -> None:
    assert set(found.ceiling) == {"another seed", "the other people"}
    for by in found.ceiling.values():
        assert by["search"].tau.value == by["report"].tau.value == 1


def test_the_page_shows_every_network_score_and_pair(found: RankingFigures) -> None:
    page = ranking_page(Ranking(run_document(time_s={"teacher": 75.0}), RECORDS, PAIRS), found)
    assert "\n    ppgnas search --budget 80KB\n" in page  # the command of the document
    assert "**Synthetic recordings.** 12 networks of the space default" in page
    assert "Wall time: teacher 1 min 15 s." in page
    assert "They differ by 0.20 BPM on search people and 0.20 BPM on report people" in page
    starts = Counter(line.split(" | ")[0] for line in page.splitlines())
    for record in RECORDS:
        assert starts[f"| {record.arch.id}"] == 1
    for name in found.scores:
        assert starts[f"| {name}"] == 4  # search, report, halves, pairs
    for name in DIMENSIONS:
        assert starts[f"| {name}"] == 1 + sum(pair.dimension == name for pair in PAIRS)
    assert "| jacobian covariance | 1.00 (1.00 to 1.00) | " in page
    assert "| jacobian covariance | 2 of 2 | 2 of 2 |" in page
    low, high = RECORDS[4].arch.id, RECORDS[2].arch.id
    assert f"| depth | {low} | {high} | 4.00 | 3.00 | 5.00 | 4.00 |" in page
