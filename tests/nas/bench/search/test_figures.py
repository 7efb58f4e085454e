"""Figures of contests made by hand."""

from __future__ import annotations

import pytest

from nas.bench.search.figures import Figures, SideFigures, figures, front, reached
from nas.bench.search.sides import NetworkRecord
from tests.nas.bench.search.made import contest_of, record


def side_of(found: Figures, name: str) -> SideFigures:
    return next(row for row in found.sides if row.side == name)


def test_the_front_is_chosen_on_search_people_and_read_on_report_people() -> None:
    """The second network is better on report people, where nobody may look."""
    chosen = record("found", 2.0, search_bpm=3.0, report_bpm=6.0)
    better = record("found", 3.0, search_bpm=4.0, report_bpm=1.0)
    assert front([better, chosen], "found") == [chosen]
    found = figures(contest_of([chosen, better]))
    row = side_of(found, "found")
    assert (row.networks, row.on_front, row.best_bpm) == ((2,), (1,), 6.0)
    assert row.volumes["MAE, latency"].value == pytest.approx(0.4 * 0.8)


def test_hypervolume_by_hand() -> None:
    """Two steps in a box of 10 x 10: 8 x 4 + 5 x (7 - 4) = 47 of 100."""
    records = [record("found", 2.0, 5.0, 6.0), record("found", 5.0, 2.0, 3.0)]
    volume = side_of(figures(contest_of(records)), "found").volumes["MAE, latency"]
    assert [volume.low, volume.value, volume.high] == pytest.approx([0.47] * 3)


def test_over_budget_is_trained_and_never_in_the_hypervolume() -> None:
    outside = record("hand-made", 1.0, 1.0, 1.0, name="large", fits=False)
    inside = record("hand-made", 5.0, 5.0, 5.0, name="small")
    found = figures(contest_of([record("found", 5.0, 4.0, 4.0), outside, inside]))
    row = side_of(found, "hand-made")
    assert (row.networks, row.on_front) == ((2,), (1,))
    assert row.volumes["MAE, latency"].value == pytest.approx(0.25)
    assert [(made.name, made.fits) for made in found.hand_made] == [
        ("large", False),
        ("small", True),
    ]


def test_found_against_random_is_a_ratio_of_means_over_seeds() -> None:
    first = [record("found", 5.0, 1.0, 4.0), record("random", 5.0, 1.0, 6.0)]
    second = [record("found", 5.0, 1.0, 2.0), record("random", 5.0, 1.0, 6.0)]
    (row,) = figures(contest_of(first, second)).against
    more = row.volumes["MAE, latency"]
    assert more is not None and row.error is not None
    assert more.value == pytest.approx(100 * (0.35 / 0.2 - 1))  # (0.3 + 0.4) / 2 against 0.2
    assert 50 < more.low < more.value < more.high < 100  # between the seeds
    assert row.error.value == pytest.approx(100 * ((4 / 6 * 2 / 6) ** 0.5 - 1))


def test_a_side_without_a_hypervolume_has_no_ratio() -> None:
    records = [record("found", 5.0, 1.0, 4.0), record("random", 5.0, 1.0, 11.0)]
    (row,) = figures(contest_of(records)).against
    assert row.volumes == {"MAE, latency": None}


def test_equal_networks_are_equal_whoever_the_people_are() -> None:
    """People get the same weight on both sides, so what is equal has no interval."""
    errors = (2.0, 5.0)
    records = [record("found", 5.0, 1.0, errors), record("random", 5.0, 1.0, errors)]
    found = figures(contest_of(records))
    (row,) = found.against
    more = row.volumes["MAE, latency"]
    assert more is not None and (more.low, more.value, more.high) == (0.0, 0.0, 0.0)
    alone = side_of(found, "found").volumes["MAE, latency"]
    assert alone.low < alone.value < alone.high


def test_within_a_latency_search_people_choose() -> None:
    """The larger network is worse on report people, and it is what a user would get."""
    records = [record("found", 2.0, 5.0, 3.0), record("found", 5.0, 2.0, 4.0)]
    chosen = front(records, "found")
    assert [reached(chosen, ms) for ms in (2.0, 4.9, 5.0, 9.0)] == [
        *(records[0], records[0]),
        *(records[1], records[1]),
    ]


def hand_made_contest(*found: NetworkRecord) -> Figures:
    made = record("hand-made", 3.0, 3.0, 4.0, name="small", flash_bytes=1000.0)
    return figures(contest_of([*found, made]))


def test_against_a_hand_made_one_counts_what_is_as_small_and_as_fast() -> None:
    (row,) = hand_made_contest(
        record("found", 2.0, search_bpm=3.0, report_bpm=3.0),
        record("found", 3.0, search_bpm=4.0, report_bpm=1.0),  # search people did not choose it
        record("found", 2.5, search_bpm=1.0, report_bpm=1.0, flash_bytes=1001.0),
        record("found", 3.5, search_bpm=1.0, report_bpm=1.0),
    ).hand_made
    assert (row.found_bpm, row.found_smoothed_bpm, row.report_bpm) == (3.0, 1.5, 4.0)
    assert row.difference_bpm is not None and row.difference_bpm.value == pytest.approx(-1.0)
    assert row.difference_percent is not None
    assert row.difference_percent.value == pytest.approx(-25.0)


def test_nothing_found_that_is_as_small() -> None:
    (row,) = hand_made_contest(record("found", 3.5, 1.0, 1.0)).hand_made
    assert (row.seeds, row.found_bpm, row.difference_bpm) == (0, None, None)
